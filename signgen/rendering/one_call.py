"""`signgen.render`: a rendering in one call, of whatever holds a frame and poses."""

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from PIL import Image, ImageOps

from signgen.errors import UserError, warn
from signgen.io.model_config import model_index
from signgen.io.model_location import model_folder
from signgen.poses import PoseSequence
from signgen.poses.driving import ESTIMATE, driving_poses, pose_in_image, signer_frame, source_pose_of
from signgen.poses.extraction import MissingEstimator
from signgen.poses.formats.point_arrays import as_points
from signgen.poses.formats.pose_format import raw_poses
from signgen.poses.formats.raw import RawPoses
from signgen.poses.visibility import check_visible, with_bodies
from signgen.rendering.generator import render as render_frames
from signgen.rendering.output_file import check_output
from signgen.rendering.output_size import output_image
from signgen.rendering.render_to_file import load_pipeline, pipeline_class, render_to_file
from signgen.runtime.device_name import check_device

Frame: TypeAlias = str | Path | np.ndarray | Image.Image
Poses: TypeAlias = Any  # a path, an array, a `PoseSequence` or a `Pose` of pose-format


def render(
    frame: Frame,
    poses: Poses,
    output: str | Path | None = None,
    model: str | Path = "mini",
    source_pose: Poses | None = None,
    *,
    seed: int = 0,
    device: str = "auto",
    dtype: torch.dtype | None = None,
    estimator: str = "mediapipe",
    **options: Any,
) -> np.ndarray | Path:
    """Render the signer of `frame` making the movements of `poses`.

    Args:
        frame: the signer: an image or a video (its first frame) by path, a PIL image, or uint8 (H, W, 3).
        poses: a pose file (FILE::NAME too) or a video by path, a `PoseSequence`, a `Pose` of pose-format, or keypoints
             (F, K, 2 or 3) in pixels of the frame, at 25 frames a second.
        output: the MP4 to write, OUT.mp4.json beside it; None: the frames are returned.
        model: an embedded model's name, a model folder or a hub id.
        source_pose: the signer's own pose in `frame`, given as `poses` are, of which the first counts, or "estimate".
            Models that move the frame need it; without it, it is found as `signgen render` finds it.
        seed: the same seed gives the same frames.
        device, dtype: of the networks; "auto" takes CUDA where there is one, None the faster precision.
        estimator: what finds poses in images and videos: "mediapipe" or "mmpose".
        options: of `signgen.rendering.generator.render`: steps, solver, guidance_source, fit, batch_size, ...

    Returns frames uint8 (F, H, W, 3), of the frame's size (smaller if that is more than full HD), or the path of the
    MP4. Raises UserError for what cannot be read or rendered.
    """
    check_device(device)
    if output is not None:
        output = Path(output)
        check_output(output, [Path(each) for each in (frame, poses, source_pose) if isinstance(each, str | Path)])
    folder = model_folder(model)
    image = _image(frame)
    driving = _driving(poses, image, estimator)
    own = None
    if source_pose is not None:
        own = _own(source_pose, image, estimator)
    elif pipeline_class(folder).needs_source_pose(model_index(folder)):
        own = _found(frame, poses, image, driving, estimator)
    shown = output_image(image)
    if output is None:
        pipeline = load_pipeline(folder, device, dtype)
        return np.stack(list(render_frames(pipeline, shown, driving, source_pose=own, seed=seed, **options)))
    inputs = {name: _place(each) for name, each in (("frame", frame), ("poses", poses), ("source_pose", source_pose))}
    render_to_file(
        shown,
        driving,
        output,
        inputs=inputs,
        progress=_silent,
        source_pose=own,
        model=str(model),
        seed=seed,
        device=device,
        dtype=dtype,
        **options,
    )
    return output


def _image(frame: Frame) -> np.ndarray:
    if isinstance(frame, str | Path):
        return signer_frame(Path(frame))
    if isinstance(frame, Image.Image):
        return np.array(ImageOps.exif_transpose(frame).convert("RGB"))
    if not isinstance(frame, np.ndarray) or frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        found = f"{frame.dtype} {frame.shape}" if isinstance(frame, np.ndarray) else f"a {type(frame).__name__}"
        raise UserError(f"frame is {found}: give a path, a PIL image or uint8 (height, width, 3)")
    return frame


def _driving(poses: Poses, image: np.ndarray, estimator: str) -> PoseSequence:
    if isinstance(poses, str | Path):
        return driving_poses(Path(poses), image, _silent, estimator=estimator)[0]
    sequence = _sequence(poses, image)
    check_visible(sequence)
    return with_bodies(sequence)


def _own(source_pose: Poses, image: np.ndarray, estimator: str) -> PoseSequence:
    if isinstance(source_pose, str | Path):
        return pose_in_image(Path(source_pose), image, estimator)
    return _sequence(source_pose, image)[:1]


def _found(frame: Frame, poses: Poses, image: np.ndarray, driving: PoseSequence, estimator: str) -> PoseSequence:
    """The signer's pose where none is given, as the command line finds it."""
    if isinstance(frame, str | Path) and isinstance(poses, str | Path):
        return source_pose_of(image, Path(frame), Path(poses), given=None, estimator=estimator)
    try:
        return pose_in_image(ESTIMATE, image, estimator)
    except MissingEstimator as error:
        warn(f"the signer of the frame is taken to be in the first pose: {error}. Or give source_pose.")
        return driving[:1]


def _sequence(poses: Any, image: np.ndarray) -> PoseSequence:
    """Poses that are no file as a PoseSequence; what they do not say of their image's size is `image`'s."""
    if isinstance(poses, PoseSequence):
        return poses
    size = (image.shape[1], image.shape[0])
    if isinstance(poses, np.ndarray):
        return RawPoses.by_count("array", as_points(poses)).sequence(size, None)
    if hasattr(poses, "header") and hasattr(poses, "body"):  # pose-format's Pose, which need not be imported to know
        return raw_poses(poses).sequence(size, None)
    raise UserError(
        f"poses are a {type(poses).__name__}: give a path, a PoseSequence, a Pose of pose-format or an array"
    )


def _place(given: Any) -> str | None:
    """Where an input comes from, for the record: its path, or what it is."""
    return None if given is None else str(given) if isinstance(given, str | Path) else type(given).__name__


def _silent(items: Any, total: int = 0, what: str = "") -> Any:
    return iter(items)
