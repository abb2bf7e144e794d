"""What a report shows of a clip: a video of what went in and came out, its hands, and where it flickers."""

import base64
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from signgen.evaluation.pairing import ClipPair
from signgen.metrics.hands import hand_patches, hand_present, patch_size
from signgen.metrics.ssim import ssim
from signgen.poses import PoseSequence, draw_pose
from signgen.video import VideoReader, VideoWriter, open_video
from signgen.video.image_arrays import png_bytes, resize_image

MAX_FRAMES = 150  # six seconds at 25 frames a second: enough to see, and a bound on the page's size
MAX_HEIGHT = 260  # pixels of an image in the video
HANDS = 8
HEAT_LEVELS = 16  # a mean change of so many levels of 255 has the brightest colour
# From nothing to much: black, violet, red, orange, pale yellow.
HEAT_COLOURS = np.array([(0, 0, 10), (70, 20, 110), (190, 50, 80), (245, 140, 30), (255, 250, 200)])


@dataclass(frozen=True)
class Hand:
    """A hand of the reference and the same place in the generated frame, as data URIs."""

    frame: int
    side: str
    ssim: float
    reference: str
    generated: str


@dataclass(frozen=True)
class ShownClip:
    """Images of a clip, as data URIs: the video's columns side by side, hands, mean change a pixel."""

    frames: int
    columns: list[str]
    video: str
    hands: list[Hand]
    flicker: dict[str, str]


def show_clip(pair: ClipPair, poses: PoseSequence | None) -> ShownClip:
    """The first `MAX_FRAMES` frames of a pair, read once; `poses` are in pixels of the reference's frames."""
    columns = ["source (frame 0)", *(["pose"] if poses else []), "reference", "generated"]
    with (
        open_video(pair.generated) as generated,
        open_video(pair.reference) as reference,
        tempfile.TemporaryDirectory() as folder,
    ):
        count, source = min(len(reference), MAX_FRAMES), reference[0]
        heat = {"generated": MeanChange(), "reference": MeanChange()}
        chosen = _choose_hands(poses, count)
        hands: list[Hand] = []
        path = Path(folder) / "clip.mp4"
        with VideoWriter(path, reference.fps, _video_size(reference, len(columns))) as writer:
            for index in range(count):
                theirs = reference[index]
                ours = resize_image(generated[index], reference.size[::-1])
                drawing = [draw_pose(poses.keypoints[index], *theirs.shape[:2])] if poses else []
                writer.write(_side_by_side([source, *drawing, theirs, ours]))
                heat["generated"].add(ours)
                heat["reference"].add(theirs)
                if poses and index in chosen:
                    hands += _hands(ours, theirs, poses.keypoints[index], index, chosen[index])
        video = data_uri(path.read_bytes(), "video/mp4")
    return ShownClip(count, columns, video, hands, {side: png(mean.image()) for side, mean in heat.items()})


class MeanChange:
    """How much each pixel changes from a frame to the next, on average over a clip."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None
        self._sum: np.ndarray | float = 0.0
        self._steps = 0

    def add(self, frame: np.ndarray) -> None:
        """Take in the next frame, uint8 (H, W, 3)."""
        now = frame.astype(np.int16)
        if self._before is not None:
            self._sum = self._sum + np.abs(now - self._before).mean(-1)
            self._steps += 1
        self._before = now

    def image(self) -> np.ndarray:
        """uint8 (H, W, 3): the square root of the mean change, from 0 to that of `HEAT_LEVELS`, in colours."""
        assert self._before is not None  # a clip has a frame
        mean = np.broadcast_to(self._sum / max(1, self._steps), self._before.shape[:2])
        position = np.sqrt(mean / HEAT_LEVELS).clip(0, 1) * (len(HEAT_COLOURS) - 1)
        steps = np.arange(len(HEAT_COLOURS))
        return np.stack([np.interp(position, steps, channel) for channel in HEAT_COLOURS.T], -1).astype(np.uint8)


def png(image: np.ndarray) -> str:
    """uint8 (H, W, 3) as the data URI of a PNG."""
    return data_uri(png_bytes(image), "image/png")


def data_uri(content: bytes, kind: str) -> str:
    """Content inside a page instead of beside it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _choose_hands(poses: PoseSequence | None, count: int) -> dict[int, list[int]]:
    """Frame -> sides (0 left, 1 right), at most `HANDS` hands spread evenly over those that are present."""
    if poses is None:
        return {}
    width, height = poses.size
    present = hand_present(torch.from_numpy(poses.keypoints[:count]), height, width).nonzero().tolist()
    chosen: dict[int, list[int]] = {}
    for place in np.unique(np.linspace(0, len(present) - 1, min(HANDS, len(present))).astype(int)):
        frame, side = present[place]
        chosen.setdefault(frame, []).append(side)
    return chosen


def _hands(ours: np.ndarray, theirs: np.ndarray, keypoints: np.ndarray, index: int, sides: list[int]) -> list[Hand]:
    present = torch.zeros(1, 2, dtype=torch.bool)
    present[0, sides] = True
    patches = [
        hand_patches(
            torch.from_numpy(frame)[None], torch.from_numpy(keypoints)[None], present, patch_size(frame.shape[1])
        )
        for frame in (ours, theirs)
    ]
    scores = ssim(patches[0], patches[1]).tolist()
    generated, reference = ([png(patch) for patch in side.numpy()] for side in patches)
    names = ["left" if side == 0 else "right" for side in sides]
    return [Hand(index, *hand) for hand in zip(names, scores, reference, generated, strict=True)]


def _panel_size(size: tuple[int, int]) -> tuple[int, int]:
    width, height = size
    scale = min(1.0, MAX_HEIGHT / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _video_size(reference: VideoReader, columns: int) -> tuple[int, int]:
    width, height = _panel_size(reference.size)
    return width * columns, height


def _side_by_side(frames: list[np.ndarray]) -> np.ndarray:
    """Frames of one size, scaled down where they are higher than `MAX_HEIGHT`, in a row."""
    height, width = frames[0].shape[:2]
    return np.concatenate([resize_image(frame, _panel_size((width, height))[::-1]) for frame in frames], axis=1)
