from fractions import Fraction

import av
import numpy as np
import pytest

from signgen.errors import UserError
from signgen.video import VideoWriter, open_video


def write(path, frames, fps=25.0, **options):
    with VideoWriter(path, fps, (frames.shape[2], frames.shape[1]), **options) as writer:
        for frame in frames:
            writer.write(frame)
    return path


@pytest.mark.parametrize("fps", [25, 29.97, 30000 / 1001, 12.5, 60])
@pytest.mark.parametrize("count", [1, 2, 37])
def test_as_many_frames_at_the_rate_asked_for(tmp_path, moving_image, fps, count):
    path = write(tmp_path / "a.mp4", moving_image(count, 48, 64), fps)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.frames == count
        assert sum(1 for _ in container.decode(video=0)) == count
        assert float(stream.duration * stream.time_base) == pytest.approx(count / fps, rel=1e-3)
        assert abs(stream.average_rate - Fraction(fps)) < 1e-3


def test_what_players_want(tmp_path, moving_image):
    path = write(tmp_path / "a.mp4", moving_image(5, 48, 64))
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")


@pytest.mark.parametrize("size", [(48, 64), (600, 64)])
def test_frames_come_back_nearly_as_they_were(tmp_path, moving_image, size):
    """At standard and at high definition, whose colour matrices differ."""
    frames = moving_image(8, *size)
    frames[..., 0] = frames[..., 1]  # halved colour resolution smears the bar's edges otherwise
    frames[..., 2] = frames[..., 1]
    difference = np.stack(list(open_video(write(tmp_path / "a.mp4", frames)))).astype(int) - frames
    assert abs(difference).mean() < 1.5
    assert abs(difference.mean()) < 0.3


@pytest.mark.parametrize("colour", [(200, 30, 30), (30, 200, 30), (30, 30, 200), (128, 128, 128)])
@pytest.mark.parametrize("height", [48, 720])
def test_colours_survive(tmp_path, colour, height):
    frames = np.full((2, height, 64, 3), colour, np.uint8)
    difference = open_video(write(tmp_path / "a.mp4", frames))[0].astype(int) - frames[0]
    assert abs(difference).max() <= 3


@pytest.mark.parametrize("size", [(49, 63), (48, 63), (49, 64), (1, 1)])
def test_odd_sizes_are_completed_by_repeating_the_edge(tmp_path, size):
    height, width = size
    frames = np.full((2, height, width, 3), 100, np.uint8)
    with open_video(write(tmp_path / "a.mp4", frames)) as video:
        assert video.size == (width + width % 2, height + height % 2)
        assert abs(video[1].astype(int) - 100).max() <= 2


def test_provenance_is_kept(tmp_path, moving_image):
    metadata = {"signgen": "0.1.0", "configuration": '{"seed": 3, "sign": "Grüße"}'}
    path = write(tmp_path / "a.mp4", moving_image(2, 48, 64), metadata=metadata)
    with av.open(str(path)) as container:
        assert metadata.items() <= container.metadata.items()


def test_the_same_frames_give_the_same_file_whatever_lies_in_memory(tmp_path, moving_image):
    frames, rng = moving_image(30, 64, 80), np.random.default_rng(0)

    def littered():
        for frame in frames:
            for size in (10_000, 60_000, 160_000, 300_000):
                rng.integers(0, 256, size, np.uint8)  # freed at once, for the encoder to be given
            yield frame

    files = []
    for name in ("calm.mp4", *(f"littered-{i}.mp4" for i in range(4))):
        with VideoWriter(tmp_path / name, 25, (80, 64)) as writer:
            for frame in frames if name == "calm.mp4" else littered():
                writer.write(frame)
        files.append((tmp_path / name).read_bytes())
    assert len(set(files)) == 1


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_nothing_is_left_of_a_video_that_was_broken_off(tmp_path, moving_image, failure):
    with pytest.raises(failure), VideoWriter(tmp_path / "a.mp4", 25, (64, 48)) as writer:
        writer.write(moving_image(1, 48, 64)[0])
        raise failure
    assert not list(tmp_path.iterdir())


def test_a_video_that_was_there_stays_until_the_new_one_is_complete(tmp_path, moving_image):
    path = write(tmp_path / "a.mp4", moving_image(3, 48, 64))
    before = path.read_bytes()
    with pytest.raises(RuntimeError), VideoWriter(path, 25, (64, 48)) as writer:
        writer.write(moving_image(1, 48, 64)[0])
        raise RuntimeError
    assert path.read_bytes() == before


def test_a_video_without_frames_is_refused(tmp_path):
    with pytest.raises(UserError, match="there are no frames to write"), VideoWriter(tmp_path / "a.mp4", 25, (64, 48)):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("fps", "size"), [(0, (64, 48)), (float("nan"), (64, 48)), (25, (0, 48)), (25, (64, 99999))])
def test_absurd_rates_and_sizes_are_refused(tmp_path, fps, size):
    with pytest.raises(UserError, match=r"frames per second|video size"):
        VideoWriter(tmp_path / "a.mp4", fps, size)


@pytest.mark.parametrize(
    "frame", [np.zeros((48, 65, 3), np.uint8), np.zeros((48, 64, 3)), np.zeros((48, 64), np.uint8)]
)
def test_frames_of_another_kind_are_a_programming_error(tmp_path, frame):
    with pytest.raises(ValueError, match="expected uint8"), VideoWriter(tmp_path / "a.mp4", 25, (64, 48)) as writer:
        writer.write(frame)
