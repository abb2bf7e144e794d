"""Poses from video, by MediaPipe Holistic or by mmpose's HRNet. Both are optional packages."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from signgen.errors import UserError, one_line
from signgen.poses.point_layouts import LAYOUT_OF_COUNT, convert_points
from signgen.poses.sequence import PoseSequence, cleaned
from signgen.poses.skeletons import COCO_WHOLEBODY
from signgen.runtime.progress import Progress, silent
from signgen.video import VideoReader

# uint8 RGB (H, W, 3) -> (133, 3): x, y in pixels and a score
Estimate = Callable[[np.ndarray], np.ndarray]
# x, y, width, height of the box around one person
Box = tuple[int, int, int, int]

INSTALL_MEDIAPIPE = "pip install 'signgen[mediapipe]'"
# Without its dependencies, some of which cannot be built; those that it needs are in the extra.
INSTALL_MMPOSE = "pip install 'signgen[mmpose]' && pip install --no-deps mmpose==1.1.0"
# HRNet-W48 with DARK decoding, 384x288, COCO-WholeBody: the estimator of the papers' Phoenix poses.
HRNET_CONFIG = (
    "wholebody_2d_keypoint/topdown_heatmap/coco-wholebody/td-hm_hrnet-w48_dark-8xb32-210e_coco-wholebody-384x288.py"
)
HRNET_CHECKPOINT = (
    "https://download.openmmlab.com/mmpose/top_down/hrnet/hrnet_w48_coco_wholebody_384x288_dark-f5726563_20200918.pth"
)

BOX_MARGIN = 0.125  # of the longer side, at each end: mmpose trains its top-down models on boxes 1.25 times as large

# Packages that mmpose imports for training and evaluation only, and that are hard to install.
UNUSED_BY_INFERENCE = {
    "xtcocotools": ("xtcocotools.coco", "xtcocotools.cocoeval", "xtcocotools.mask"),
    "pkg_resources": (),
}


class MissingEstimator(UserError):
    """The package of a pose estimator is not installed."""


def extract_poses(
    video: VideoReader,
    estimate: Estimate,
    person: Box | PoseSequence | None = None,
    progress: Progress = silent,
) -> PoseSequence:
    """Estimate the poses of one person in every frame.

    Where several people are seen, `person` is the box (x, y, width, height) to look into, or rough poses of the same
    frames, around which to look. Raises UserError where the box lies outside the image, the rough poses are not as
    many as the frames, or nobody is found in any frame.
    """
    boxes = _boxes(person, video)
    frames = progress(video, len(video), "Extracting poses")
    poses = [_in_box(frame, estimate, box) for frame, box in zip(frames, boxes, strict=True)]
    return _found(np.stack(poses), video.size, video.fps)


def estimate_image(image: np.ndarray, estimate: Estimate) -> PoseSequence:
    """The pose in one image, uint8 (H, W, 3), as a sequence of one frame. UserError where nobody is found."""
    height, width, _ = image.shape
    return _found(estimate(image)[None], (width, height), 1.0)


@contextmanager
def mediapipe_estimator(device: str = "cpu") -> Iterator[Estimate]:
    """MediaPipe Holistic, which tracks the most prominent person from frame to frame; its models come with it.

    It computes on the CPU, whatever the device. UserError where the package is not installed.
    """
    try:
        from mediapipe.python.solutions.holistic import Holistic
    except ImportError as error:
        raise MissingEstimator(
            f"MediaPipe cannot be used ({one_line(error)}); install it: {INSTALL_MEDIAPIPE}"
        ) from error
    with Holistic() as holistic:
        yield lambda frame: _mediapipe_points(holistic.process(np.ascontiguousarray(frame)), frame)


def _mediapipe_points(result: Any, frame: np.ndarray) -> np.ndarray:
    """(133, 3) of Holistic's landmarks, which are in parts of the image's sides."""
    parts = (
        (result.pose_landmarks, 33),
        (result.face_landmarks, 468),
        (result.left_hand_landmarks, 21),
        (result.right_hand_landmarks, 21),
    )
    landmarks = np.concatenate([_landmarks(part, count) for part, count in parts])
    landmarks[33:, 2] = landmarks[33:, :2].any(1)  # face and hands are found as a whole, without scores
    height, width, _ = frame.shape
    _, names, point_map = LAYOUT_OF_COUNT[len(landmarks)]
    return convert_points(landmarks[None] * (width, height, 1), names, point_map)[0]


def _landmarks(part: Any, count: int) -> np.ndarray:
    if part is None:
        return np.zeros((count, 3))
    return np.array([(point.x, point.y, point.visibility) for point in part.landmark])


@contextmanager
def mmpose_estimator(
    config: str | Path | None = None,
    checkpoint: str | Path | None = HRNET_CHECKPOINT,
    device: str = "cpu",
) -> Iterator[Estimate]:
    """A top-down COCO-WholeBody model of mmpose, the whole image being the person's box.

    Args:
        config: its configuration; mmpose's own of HRNet-W48 (DARK) if not given.
        checkpoint: a path, or a URL that mmpose fetches; None leaves random weights.
        device: cpu, cuda, ..., auto.

    It is loaded once for all clips of a run. UserError where mmpose is not installed, or the checkpoint cannot be
    loaded.
    """
    from signgen.runtime.device import usable_device  # and torch, which is slow to import

    yield load_mmpose(config, checkpoint, str(usable_device(device)))


@cache
def load_mmpose(config: str | Path | None, checkpoint: str | Path | None, device: str) -> Estimate:
    """The network of `mmpose_estimator`, made ready."""
    init_model, inference_topdown, configs = _import_mmpose()
    try:
        model = init_model(str(config or configs / HRNET_CONFIG), checkpoint and str(checkpoint), device=device)
    except Exception as error:  # mmengine, torch and urllib each raise their own
        raise UserError(f"mmpose cannot load {checkpoint} ({one_line(error)}); give its path") from error

    def estimate(frame: np.ndarray) -> np.ndarray:
        found = inference_topdown(model, np.ascontiguousarray(frame[..., ::-1]))[0].pred_instances  # takes BGR
        points = np.concatenate([found.keypoints[0], found.keypoint_scores[0][:, None]], 1)
        if len(points) != 133:
            raise UserError(f"the model of {config} finds {len(points)} points, not COCO-WholeBody's 133")
        return points

    return estimate


def _import_mmpose() -> tuple[Callable, Callable, Path]:
    """init_model, inference_topdown, and the folder of mmpose's configurations."""
    for package, modules in UNUSED_BY_INFERENCE.items():
        if package not in sys.modules and find_spec(package) is None:
            sys.modules.update({name: _Unused(name) for name in (package, *modules)})
    try:
        import mmpose
        from mmpose.apis import inference_topdown, init_model
    except ImportError as error:
        raise MissingEstimator(f"mmpose cannot be used ({one_line(error)}); install it: {INSTALL_MMPOSE}") from error
    return init_model, inference_topdown, Path(mmpose.__file__).parent / ".mim/configs"


class _Unused(ModuleType):
    """Stands for a module of UNUSED_BY_INFERENCE."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def parse_box(text: str) -> Box:
    """X,Y,WIDTH,HEIGHT as a box. UserError for anything else."""
    match = re.fullmatch(r"(\d{1,5}),(\d{1,5}),(\d{1,5}),(\d{1,5})", text)
    if match is None:
        raise UserError(f"--person {text}: expected X,Y,WIDTH,HEIGHT in a video, such as 100,0,300,400, or a pose file")
    return int(match[1]), int(match[2]), int(match[3]), int(match[4])


def _in_box(frame: np.ndarray, estimate: Estimate, box: Box) -> np.ndarray:
    x, y, width, height = box
    points = estimate(frame[y : y + height, x : x + width])
    points[points[:, 2] > 0, :2] += (x, y)
    return points


def _boxes(person: Box | PoseSequence | None, video: VideoReader) -> list[Box]:
    """Where to look, frame by frame."""
    if not isinstance(person, PoseSequence):
        return [_checked_box(person, video.size)] * len(video)
    if len(person) != len(video):
        raise UserError(f"{len(person)} rough poses for {len(video)} frames")
    return [_box_around(points, video.size) for points in person.scaled_to(video.size).keypoints]


def _box_around(points: np.ndarray, size: tuple[int, int]) -> Box:
    """The box of the present points (K, 3) with a margin all around; the whole image where there are none in it."""
    present = points[points[:, 2] > 0, :2]
    if not len(present):
        return (0, 0, *size)
    margin = BOX_MARGIN * np.ptp(present, 0).max()
    low = np.clip(np.floor(present.min(0) - margin), 0, size).astype(int).tolist()
    high = np.clip(np.ceil(present.max(0) + margin), 0, size).astype(int).tolist()
    width, height = high[0] - low[0], high[1] - low[1]
    return (low[0], low[1], width, height) if min(width, height) > 0 else (0, 0, *size)


def _checked_box(person: Box | None, size: tuple[int, int]) -> Box:
    if person is None:
        return (0, 0, *size)
    x, y, width, height = person
    if min(x, y) < 0 or min(width, height) < 1 or x + width > size[0] or y + height > size[1]:
        raise UserError(f"the person's box {person} (x, y, width, height) is not inside the image, {size[0]}x{size[1]}")
    return person


def _found(points: np.ndarray, size: tuple[int, int], fps: float) -> PoseSequence:
    keypoints = cleaned(points)
    if not (keypoints[..., 2] > 0).any():
        raise UserError("nobody is found in any frame")
    return PoseSequence(keypoints, size, fps, COCO_WHOLEBODY)


MakeEstimator = Callable[..., AbstractContextManager[Estimate]]
ESTIMATORS: dict[str, MakeEstimator] = {"mediapipe": mediapipe_estimator, "mmpose": mmpose_estimator}
"""Estimators with their own defaults, by name; `device` is where one computes that can choose."""
