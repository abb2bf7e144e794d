"""Files whose numbers are not pixels."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signgen.errors import InputWarning, UserError
from signgen.poses import PoseSequence, read_poses
from signgen.poses.coordinates import CENTRED, PIXELS, SHOULDERS, UNIT, coordinates, to_pixels
from signgen.poses.skeletons import LEFT_SHOULDER, NAMES_133, RIGHT_SHOULDER

SIZES = st.tuples(st.integers(64, 4000), st.integers(64, 4000))


def person(size: tuple[int, int], left: float, top: float, height: float) -> np.ndarray:
    """(3, 133, 3) points in pixels of a person somewhere in the image, a third of them unseen."""
    rng = np.random.default_rng(int(1000 * height))
    parts = rng.uniform(0, 1, (3, 133, 2)) * (0.6 * height, height) + (left, top)
    return np.concatenate([parts * size, (rng.uniform(size=(3, 133, 1)) > 0.33) * 0.9], 2)


@settings(max_examples=30, deadline=None)
@given(SIZES, st.floats(0, 0.45), st.floats(0, 0.45), st.floats(0.15, 0.5), st.sampled_from([PIXELS, UNIT, CENTRED]))
def test_any_of_them_becomes_the_same_pixels(
    size: tuple[int, int], left: float, top: float, height: float, kind: str
) -> None:
    pixels = person(size, left, top, height)
    parts = {PIXELS: pixels[..., :2], UNIT: pixels[..., :2] / size, CENTRED: pixels[..., :2] / size * 2 - 1}[kind]
    points = np.concatenate([parts, pixels[..., 2:]], -1)
    assert coordinates(points, NAMES_133) == kind
    with pytest.warns(InputWarning) if kind != PIXELS else _nothing():
        found = to_pixels(points, kind, size)
    there = pixels[..., 2] > 0
    assert np.allclose(found[there], pixels[there])


class _nothing:
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


def test_legs_below_the_image_do_not_hide_it(signer: PoseSequence) -> None:
    parts = signer.keypoints.astype(float) / (210, 260, 1)
    parts[:, 11:23, 1] += 1.3
    assert coordinates(parts, NAMES_133) == UNIT


def test_shoulder_widths_are_put_in_the_middle(signer: PoseSequence) -> None:
    points = signer.keypoints.astype(float)
    shoulders = points[:, [LEFT_SHOULDER, RIGHT_SHOULDER], :2]
    width = np.linalg.norm(shoulders[:, 0] - shoulders[:, 1], axis=1).mean()
    points[..., :2] = (points[..., :2] - shoulders.mean((0, 1))) / width
    assert coordinates(points, NAMES_133) == SHOULDERS
    with pytest.warns(InputWarning, match="--align fits them"):
        placed = to_pixels(points, SHOULDERS, (320, 240))
    middle = placed[:, [LEFT_SHOULDER, RIGHT_SHOULDER], :2].mean((0, 1))
    assert middle.tolist() == pytest.approx([160, 120])


def test_a_file_is_scaled_to_the_size_that_is_known(tmp_path: Path, signer: PoseSequence) -> None:
    parts = signer.keypoints / np.float32((210, 260, 1))
    np.savez(tmp_path / "said.npz", keypoints=parts, size=np.array([420, 520]))
    np.save(tmp_path / "unsaid.npy", parts)
    with pytest.warns(InputWarning, match=r"said\.npz: the coordinates are normalised \(0\.\.1\).*scaled to 420x520"):
        poses = read_poses(tmp_path / "said.npz", size=(9, 9))
    assert np.allclose(poses.positions, 2 * signer.positions, atol=1e-3)
    with pytest.warns(InputWarning, match="scaled to 210x260"):
        assert np.allclose(read_poses(tmp_path / "unsaid.npy", size=(210, 260)).positions, signer.positions, atol=1e-3)
    with pytest.warns(InputWarning, match="scaled to 100x100"):
        assert read_poses(tmp_path / "said.npz", pose_size=(100, 100)).size == (100, 100)
    with pytest.raises(UserError, match=r"normalised \(0\.\.1\), and npy does not say how large the image was"):
        read_poses(tmp_path / "unsaid.npy")
