from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from signgen.cli.demo import EXAMPLE
from signgen.errors import UserError
from signgen.poses import PoseSequence, write_poses
from signgen.ui.actions import Inputs, Limits, preview, read_image, read_inputs
from signgen.ui.rendering import render_videos
from signgen.video import VideoWriter, open_video
from tests.export.conftest import person


def untracked(items, total, what):  # type: ignore[no-untyped-def]
    return items


def read(image: Path, poses: Path, limits: Limits | None = None) -> Inputs:
    return read_inputs(image, poses, smooth=False, align=False, limits=limits or Limits(), tell=print)


def test_preview_of_the_example() -> None:
    shown = preview(read(EXAMPLE / "signer.png", EXAMPLE / "signer.npz"))
    assert (shown.shape, shown.dtype) == ((260, 4 * 210, 3), np.uint8)
    dimmed = (read_image(EXAMPLE / "signer.png") * 0.6).astype(np.uint8)
    changed = [(part != dimmed).any(-1).mean() for part in np.hsplit(shown, 4)]
    assert all(0.005 < share < 0.2 for share in changed)


def test_poses_come_in_pixels_of_the_image(tmp_path: Path) -> None:
    Image.new("RGB", (128, 160)).save(tmp_path / "large.png")
    write_poses(PoseSequence(person(3, 0), (64, 80), 25.0, "coco-wholebody-133"), tmp_path / "poses.npz")
    found = read(tmp_path / "large.png", tmp_path / "poses.npz")
    np.testing.assert_allclose(found.poses.positions, 2 * person(3, 0)[..., :2], rtol=1e-5)
    assert preview(found).shape == (160, 3 * 128, 3)


def test_the_signer_and_the_same_beside_the_skeleton(tiny_model: Path, tmp_path: Path) -> None:
    inputs = read(EXAMPLE / "signer.png", EXAMPLE / "signer.npz")
    inputs = Inputs(inputs.image, inputs.poses[:3], inputs.source_pose)
    alone, both = render_videos(inputs, str(tiny_model), 1, 7, tmp_path, untracked)
    with open_video(alone) as video, open_video(both) as beside:
        assert (len(video), video.size, len(beside), beside.size) == (3, (210, 260), 3, (420, 260))
        difference = video[1].astype(int) - beside[1][:, 210:]
        assert np.abs(difference).mean() < 3


def test_what_asks_for_too_much_or_is_broken(tmp_path: Path) -> None:
    image, poses = EXAMPLE / "signer.png", EXAMPLE / "signer.npz"
    with pytest.raises(UserError, match="36 frames; this page renders up to 10"):
        read(image, poses, Limits(frames=10))
    Image.new("RGB", (3000, 20)).save(tmp_path / "wide.png")
    with pytest.raises(UserError, match="3000x20 pixels"):
        read_image(tmp_path / "wide.png")
    with VideoWriter(tmp_path / "long.mp4", 25, (16, 16)) as writer:
        for _ in range(12):
            writer.write(np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(UserError, match="12 frames"):  # before anything is estimated
        read(image, tmp_path / "long.mp4", Limits(frames=10))
    (tmp_path / "bad.png").write_text("no image")
    for files in ((tmp_path / "bad.png", poses), (image, tmp_path / "bad.png")):
        with pytest.raises(UserError, match=r"bad\.png"):
            read(*files)
