import os
import shutil

import av
import numpy as np
import pytest
from PIL import Image

from signgen.errors import UserError
from signgen.video import is_video, open_video, read_first_frame


@pytest.fixture
def frames(moving_image):
    return moving_image(20, 48, 64)


def close(a: np.ndarray, b: np.ndarray, level: float = 3) -> bool:
    """Equal up to what a codec and 8-bit colour conversion lose."""
    return a.shape == b.shape and np.abs(a.astype(int) - b).mean() < level


def test_a_video_is_streamed_and_indexed(make_video, frames):
    with open_video(make_video(frames, crf="1", g="6")) as video:
        streamed = np.stack(list(video))
        assert (len(video), video.fps, video.size) == (20, 25, (64, 48))
        assert close(streamed, frames)
        for index in (0, 7, 3, 3, 19, 11, -1):
            assert (video[index] == streamed[index]).all()


def test_random_access_equals_streaming_in_any_order(make_video, frames):
    with open_video(make_video(frames, g="5", bf="2")) as video:
        streamed = np.stack(list(video))
        order = np.random.default_rng(0).integers(0, 20, 60).tolist()
        assert (video.frames(order) == streamed[order]).all()


def test_a_file_is_opened_once_for_random_access(make_video, frames, monkeypatch):
    path, opened = make_video(frames, g="5"), []
    original = av.open
    monkeypatch.setattr(av, "open", lambda path, **more: opened.append(path) or original(path, **more))
    with open_video(path) as video:
        later, earlier = video[17], video[2]
    assert len(opened) == 1
    with open_video(path) as video:
        streamed = list(video)
    assert (later == streamed[17]).all()
    assert (earlier == streamed[2]).all()


def test_streaming_does_not_disturb_random_access(make_video, frames):
    with open_video(make_video(frames)) as video:
        pairs = [(streamed, video[19 - index]) for index, streamed in enumerate(video)]
    assert all((streamed == pairs[19 - index][1]).all() for index, (streamed, _) in enumerate(pairs))


@pytest.mark.parametrize("index", [20, -21])
def test_frames_outside_are_an_index_error(make_video, frames, index):
    with open_video(make_video(frames)) as video, pytest.raises(IndexError, match="of a video with 20 frames"):
        video[index]


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mp4", "libx264", "yuv422p10le"),
        ("a.mp4", "libx264", "yuvj420p"),
        ("a.mkv", "ffv1", "yuv422p10le"),
        ("a.mov", "prores_ks", "yuv422p10le"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.h264", "libx264", "yuv420p"),
    ],
)
def test_codecs_pixel_formats_and_containers(make_video, frames, name, codec, pixels):
    with open_video(make_video(frames, name, codec, pixels)) as video:
        streamed = np.stack(list(video))
        assert len(video) == 20
        assert close(streamed, frames, level=8)
        assert (video.frames([13, 2]) == streamed[[13, 2]]).all()


def test_colours_are_not_shifted(make_video, moving_image):
    """FFmpeg's default conversion darkens by about one level."""
    frames = moving_image(3, 64, 64)
    with open_video(make_video(frames, crf="0")) as video:
        difference = np.stack(list(video)).astype(int) - frames
    assert abs(difference.mean()) < 0.2


@pytest.mark.parametrize("size", [(49, 63), (48, 63), (51, 64), (17, 17)])
def test_odd_sizes(make_video, moving_image, size):
    frames = moving_image(5, *size)
    with open_video(make_video(frames, crf="1")) as video:
        assert close(np.stack(list(video)), frames)


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_rotation_metadata_turns_the_frames(make_video, frames, rotation, turns):
    with open_video(make_video(frames, rotation=rotation)) as video:
        expected = np.rot90(frames, turns, axes=(1, 2))
        assert video.size == (expected.shape[2], expected.shape[1])
        assert close(np.stack(list(video)), expected)
        assert close(video[9], expected[9])


def test_odd_rotations_are_refused(make_video, frames):
    with pytest.raises(UserError, match="only quarter turns are supported"):
        open_video(make_video(frames, rotation=30))


def test_variable_frame_rate_keeps_every_stored_frame_once(make_video, frames):
    times = np.cumsum([1, 9, 2, 30] * 5).tolist()
    with open_video(make_video(frames, times=times)) as video:
        assert len(video) == 20
        assert close(np.stack(list(video)), frames)
        assert (video.frames([17, 4]) == np.stack(list(video))[[17, 4]]).all()
        assert 0 < video.fps < 25


def test_one_frame(make_video, frames):
    with open_video(make_video(frames[:1])) as video:
        assert len(video) == 1
        assert close(video[0], frames[0])


def test_no_frames(make_video, frames):
    path = make_video(frames[:0])
    with pytest.raises(UserError, match=r"video\.mp4: (the video has no frames|not a video|there is no video)"):
        open_video(path)


def test_a_video_with_its_end_cut_off_is_refused(make_video, moving_image):
    path = make_video(moving_image(60, 96, 96), movflags="+faststart")
    shutil.copy(path, whole := path.with_name("whole.mp4"))
    content = whole.read_bytes()
    moov_first = content.index(b"moov") < content.index(b"mdat")
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(UserError, match=r"video\.mp4: "), open_video(path) as video:
        len(video)
    assert moov_first or len(open_video(whole)) == 60


@pytest.mark.parametrize("content", [b"", b"no video", bytes(1000), b"\x00\x00\x00\x20ftypisom" + bytes(100)])
def test_what_is_no_video_is_refused(tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.mp4: (not a video|the video|there is no video)"):
        open_video(tmp_path / "a.mp4")


def test_missing_files_and_images_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"a\.mp4: no such video"):
        open_video(tmp_path / "a.mp4")
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"a\.png: an image, where a video"):
        open_video(tmp_path / "a.png")


def test_sound_alone_is_refused(tmp_path):
    import av

    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.rate = 16000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(UserError, match="there is no video in the file"):
        open_video(tmp_path / "a.mp4")


def test_a_reader_works_after_fork(make_video, frames):
    with open_video(make_video(frames)) as video:
        expected = video.frames([3, 12])
        child = os.fork()
        if not child:
            os._exit(0 if (video.frames([3, 12]) == expected).all() else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert (video.frames([12, 3]) == expected[::-1]).all()


class TestFolders:
    @pytest.fixture
    def folder(self, tmp_path, frames):
        for number in (1, 2, 10):
            Image.fromarray(frames[number]).save(tmp_path / f"images{number}.png")
        (tmp_path / "notes.txt").write_text("no image")
        return tmp_path

    def test_images_come_in_natural_order(self, folder, frames):
        with open_video(folder) as video:
            assert (np.stack(list(video)) == frames[[1, 2, 10]]).all()
            assert (video.frames([2, 0]) == frames[[10, 1]]).all()
            assert (len(video), video.size, video.fps) == (3, (64, 48), 25)

    def test_images_of_another_size_are_named(self, folder):
        Image.new("RGB", (5, 6)).save(folder / "images3.png")
        with open_video(folder) as video, pytest.raises(UserError, match=r"images3\.png: 5x6 pixels, but images1\.png"):
            list(video)

    def test_other_images_than_the_wanted_one_are_not_opened(self, folder, frames):
        (folder / "images1.png").write_bytes(b"broken")
        with open_video(folder) as video:
            assert (video[2] == frames[10]).all()
            with pytest.raises(UserError, match=r"images1\.png: not an image"):
                video[0]

    def test_a_folder_without_images(self, tmp_path):
        with pytest.raises(UserError, match="the folder holds no images"):
            open_video(tmp_path)

    def test_first_frames(self, folder, frames, make_video):
        assert (read_first_frame(folder) == frames[1]).all()
        assert (read_first_frame(folder / "images10.png") == frames[10]).all()
        assert close(read_first_frame(make_video(frames)), frames[0])


def test_real_clips(shared):
    with open_video(shared / "real/sign-clip/clip.mp4") as video:
        assert (len(video), video.size, video.fps) == (107, (320, 240), 25)
        assert sum(1 for _ in video) == 107


def test_a_list_of_files_named_as_a_video_is_no_video(tmp_path):
    (tmp_path / "a.mp4").write_text("ffconcat version 1.0\nfile '/etc/hostname'\n")
    assert not is_video(tmp_path / "a.mp4")
    with pytest.raises(UserError, match="not a video"):
        open_video(tmp_path / "a.mp4")
