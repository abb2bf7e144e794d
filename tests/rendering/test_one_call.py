"""`signgen.render` takes a frame and poses in every form, and gives the same frames for all."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import signgen
from signgen.poses.formats.writers import write_poses
from signgen.rendering import one_call
from signgen.video import open_video

OPTIONS = {"steps": 1, "dtype": None, "device": "cpu"}


@pytest.fixture
def frame() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (53, 45, 3), np.uint8)


@pytest.fixture
def keypoints() -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.concatenate([rng.uniform(5, 40, (2, 133, 2)), np.ones((2, 133, 1))], axis=2).astype(np.float32)


def test_every_form_gives_the_same_frames(
    tiny_model: Path, tmp_path: Path, frame: np.ndarray, keypoints: np.ndarray
) -> None:
    from pose_format import Pose

    sequence = signgen.PoseSequence(keypoints, (45, 53), 25.0, "coco-wholebody-133")
    Image.fromarray(frame).save(tmp_path / "frame.png")
    write_poses(sequence, tmp_path / "poses.pose")
    of_pose_format = Pose.read((tmp_path / "poses.pose").read_bytes())
    expected = signgen.render(frame, keypoints, model=tiny_model, **OPTIONS)
    assert isinstance(expected, np.ndarray)
    assert (expected.shape, expected.dtype) == ((2, 53, 45, 3), np.uint8)
    assert expected[0].std() > 0
    others = [
        (str(tmp_path / "frame.png"), tmp_path / "poses.pose"),
        (Image.fromarray(frame), sequence),
        (tmp_path / "frame.png", of_pose_format),
    ]
    for image, poses in others:
        assert np.abs(signgen.render(image, poses, model=tiny_model, **OPTIONS).astype(int) - expected).max() <= 1


def test_with_an_output_the_video_is_written(
    tiny_model: Path, tmp_path: Path, frame: np.ndarray, keypoints: np.ndarray
) -> None:
    output = signgen.render(frame, keypoints, str(tmp_path / "out.mp4"), str(tiny_model), **OPTIONS)
    assert output == tmp_path / "out.mp4"
    with open_video(output) as video:
        assert len(video) == 2
    record = json.loads((tmp_path / "out.mp4.json").read_text())
    assert (record["frame"], record["poses"], record["steps"]) == ("ndarray", "ndarray", 1)


def test_the_signers_pose_is_the_one_that_is_given(
    tmp_path: Path, frame: np.ndarray, keypoints: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = one_call._image(frame)
    assert (one_call._own(keypoints[1:], image, "mediapipe").keypoints == keypoints[1:]).all()

    def missing(*_: object) -> None:
        raise one_call.MissingEstimator("no estimator")

    monkeypatch.setattr(one_call, "pose_in_image", missing)
    driving = one_call._driving(keypoints, image, "mediapipe")
    with pytest.warns(signgen.InputWarning, match="first pose: no estimator"):
        found = one_call._found(frame, keypoints, image, driving, "mediapipe")
    assert (found.keypoints == driving.keypoints[:1]).all()


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"frame": np.zeros((5, 5), np.uint8)}, r"frame is uint8 \(5, 5\)"),
        ({"frame": 3}, "frame is a int"),
        ({"poses": "no.npz"}, "no.npz"),
        ({"poses": [1, 2]}, "poses are a list"),
        ({"poses": np.zeros((2, 7, 3))}, "7 points"),
        ({"output": "out.gif"}, "ends in .mp4"),
        ({"device": "toaster"}, "cannot be used here"),
        ({"model": "minni"}, "unknown model"),
    ],
)
def test_wrong_input_is_a_user_error(
    tiny_model: Path, frame: np.ndarray, keypoints: np.ndarray, replaced: dict[str, object], message: str
) -> None:
    given = {"frame": frame, "poses": keypoints, "model": tiny_model, **replaced}
    with pytest.raises(signgen.UserError, match=message):
        signgen.render(**given)  # type: ignore[arg-type]
