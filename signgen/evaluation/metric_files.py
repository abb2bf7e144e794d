"""The files of networks that metrics are made with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from signgen.errors import UserError
from signgen.metrics import METRICS, NETWORKS, FrameMetric
from signgen.metrics.hand_estimators import mmpose_hands

HAND_ESTIMATORS = ("mediapipe", "mmpose")
HRNET = NETWORKS["hand-pe"]


@dataclass(frozen=True)
class MetricFiles:
    """Files that metrics need or may be given.

    Attributes:
        weights: network (a value of `signgen.metrics.NETWORKS`) -> its weights, instead of a package's.
        fid_against: name -> a file of features, of frames that FID and KID compare with as well.
        estimator: what finds the hands for Hand PE, mediapipe, or mmpose with the weights of `hrnet-wholebody`.
    """

    weights: Mapping[str, Path] = field(default_factory=dict)
    fid_against: Mapping[str, Path] = field(default_factory=dict)
    estimator: str = "mediapipe"

    def __post_init__(self) -> None:
        if self.estimator not in HAND_ESTIMATORS:
            raise UserError(f"unknown estimator {self.estimator!r}: choose one of {', '.join(HAND_ESTIMATORS)}")
        if unknown := set(self.weights) - set(NETWORKS.values()):
            raise UserError(
                f"no metric uses a network {min(unknown)!r}: there are {', '.join(sorted(set(NETWORKS.values())))}"
            )

    def make(self, name: str, device: str) -> FrameMetric:
        """The metric called `name`, on a device. UserError where it is not available."""
        given: dict[str, Any] = {}
        network = NETWORKS.get(name, "")
        if network == HRNET:
            given = {"estimator": partial(mmpose_hands, self._hrnet(), device)} if self.estimator == "mmpose" else {}
        elif network in self.weights:
            given["weights"] = self.weights[network]
        if self.fid_against and name.startswith("fid"):
            given["against"] = self.fid_against
        return METRICS[name](**given).to(device)

    def _hrnet(self) -> Path:
        if HRNET not in self.weights:
            raise UserError(f"mmpose needs its checkpoint: give weights {HRNET}=FILE")
        return self.weights[HRNET]


PACKAGED = MetricFiles()
