"""Is a rendered clip good enough? Poses are estimated in it anew and compared with those that drove it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from signgen.errors import UserError
from signgen.export.settings import Gate
from signgen.metrics.pose_error import PARTS, redetected
from signgen.poses import PoseSequence
from signgen.poses.extraction import ESTIMATORS, Estimate
from signgen.poses.skeletons import LEFT_SHOULDER, RIGHT_SHOULDER


@dataclass(frozen=True)
class Scores:
    """body_error, hands_error: mean distance of found points, in shoulder widths. None: not measured, see `reason`."""

    body_error: float | None = None
    hands_error: float | None = None
    body_found: float | None = None
    hands_found: float | None = None
    reason: str = ""


class QualityGate:
    """Scores clips, where the estimator is installed."""

    def __init__(self, gate: Gate, device: str = "cpu") -> None:
        self.gate = gate
        self._estimator: Callable[[], AbstractContextManager[Estimate]] | None = None
        self._reason = "gate.estimator is none"
        if gate.estimator == "none":
            return
        try:
            self._estimator = partial(ESTIMATORS[gate.estimator], device=device)
            with self._estimator():
                pass
        except UserError as error:
            self._estimator, self._reason = None, str(error)

    def score(self, frames: np.ndarray, poses: PoseSequence) -> Scores:
        """Scores of each `gate.every`-th of the frames, uint8 (F, H, W, 3), made by as many poses in their pixels."""
        if self._estimator is None:
            return Scores(reason=self._reason)
        with self._estimator() as estimate:  # afresh: some follow a person from frame to frame
            found = redetected(frames[:: self.gate.every], poses.keypoints[:: self.gate.every], estimate)
        width = _shoulder_width(poses)
        values: dict[str, Any] = {}
        for part in PARTS:
            distances, seen = found[part]
            values[f"{part}_error"] = round(float(distances.mean()) / width, 4) if len(distances) else None
            values[f"{part}_found"] = round(float(seen.double().mean()), 4) if len(seen) else None
        return Scores(**values)


def verdict(scores: Scores, gate: Gate) -> tuple[str, str]:
    """Status, one of "good", "bad" and "not measured", and why."""
    if scores.reason:
        return "not measured", scores.reason
    faults = []
    if scores.body_error is None:
        faults.append("nobody is found")
    elif scores.body_error > gate.max_body_error:
        faults.append(f"body error {scores.body_error} > {gate.max_body_error}")
    if scores.hands_found is not None and scores.hands_found < gate.min_hands_found:
        faults.append(f"hands found {scores.hands_found} < {gate.min_hands_found}")
    return ("bad", ", ".join(faults)) if faults else ("good", "")


def _shoulder_width(poses: PoseSequence) -> float:
    left, right = (poses.positions[:, point] for point in (LEFT_SHOULDER, RIGHT_SHOULDER))
    return float(np.median(np.linalg.norm(left - right, axis=-1)))
