"""Display matrices: all eight that turn and mirror."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from signgen.errors import UserError
from signgen.video import open_video
from signgen.video.orientation import upright

# What each matrix (a, b, c, d) does to an image, in numpy's words.
EIGHT: dict[tuple[int, int, int, int], Callable[[np.ndarray], np.ndarray]] = {
    (1, 0, 0, 1): lambda p: p,
    (-1, 0, 0, 1): np.fliplr,
    (1, 0, 0, -1): np.flipud,
    (-1, 0, 0, -1): lambda p: np.rot90(p, 2),
    (0, 1, -1, 0): lambda p: np.rot90(p, -1),
    (0, -1, 1, 0): np.rot90,
    (0, 1, 1, 0): lambda p: p.swapaxes(0, 1),
    (0, -1, -1, 0): lambda p: np.rot90(p, 2).swapaxes(0, 1),
}


@pytest.mark.parametrize("matrix", EIGHT)
def test_a_pixel_goes_where_the_matrix_says(matrix: tuple[int, int, int, int]) -> None:
    image = np.arange(4 * 3 * 3, dtype=np.uint8).reshape(4, 3, 3)
    a, b, c, d = matrix
    y, x = np.mgrid[:4, :3]
    across, down = a * x + c * y, b * x + d * y
    expected = np.empty((4, 3, 3) if a else (3, 4, 3), np.uint8)
    expected[down - down.min(), across - across.min()] = image
    assert np.array_equal(upright(image, matrix), expected)
    assert np.array_equal(EIGHT[matrix](image), expected)


def write(path: Path, frame: np.ndarray, matrix: list[int], container: str = "mp4") -> Path:
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.height, stream.width = frame.shape[:2]
        stream.pix_fmt = "yuv444p"
        stream.set_display_matrix(matrix)
        for _ in range(2):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("matrix", EIGHT)
def test_a_video_stands_as_its_matrix_says(tmp_path: Path, matrix: tuple[int, int, int, int]) -> None:
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:24, :32], frame[:24, 32:], frame[24:, :32] = (220, 30, 30), (30, 200, 30), (30, 30, 220)
    a, b, c, d = (65536 * sign for sign in matrix)
    shift = [65536 * (64 if -1 in (matrix[0], matrix[2]) else 0), 0, 1 << 30]
    path = write(tmp_path / "a.mp4", frame, [a, b, 0, c, d, 0, *shift])
    expected = EIGHT[matrix](frame)
    with open_video(path) as video:
        assert video.size == (expected.shape[1], expected.shape[0])
        for shown in (video[1], next(iter(video))):
            assert np.abs(shown.astype(int) - expected).max() < 12


def test_other_turns_are_refused(tmp_path: Path) -> None:
    matrix = [46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30]
    with pytest.raises(UserError, match="only quarter turns are supported"):
        open_video(write(tmp_path / "a.mp4", np.zeros((48, 64, 3), np.uint8), matrix))
