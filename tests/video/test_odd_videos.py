"""Videos as telephones, browsers, televisions and old programs write them."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from signgen.errors import InputWarning, UserError
from signgen.poses.formats.detect import holds_video
from signgen.video import VideoWriter, is_video, open_video, read_first_frame
from signgen.video.tone_mapping import HLG, PQ, to_sdr

GREY = np.full((32, 48, 3), 120, np.uint8)


def browser_recording(path: Path, times: list[int]) -> Path:
    """A WebM of frames at these milliseconds whose header names no rate, as browsers write it."""
    with av.open(str(path), "w", format="webm") as file:
        stream = file.add_stream("libvpx", options={"deadline": "realtime", "cpu-used": "8"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((32, 48, 3), 10 * (number % 20), np.uint8), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return _without_rate(path)


def _without_rate(path: Path) -> Path:
    """DefaultDuration (EBML 23 E3 83) of the track made a Void element (EC) of the same length."""
    content = path.read_bytes()
    place = content.find(b"\x23\xe3\x83\x84")
    if place >= 0:
        content = content[:place] + b"\xec\x86" + bytes(6) + content[place + 8 :]
    path.write_bytes(content)
    return path


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([12, 15, 24, 30, 50, 60]), st.integers(0, 10**6))
def test_a_rate_that_is_not_stated_comes_from_the_times(tmp_path: Path, rate: int, seed: int) -> None:
    jitter = np.random.default_rng(seed).uniform(-0.3, 0.3, 30)
    times = np.rint((np.arange(30) + jitter) * 1000 / rate).astype(int)
    path = browser_recording(tmp_path / f"{rate}-{seed}.webm", (times - times[0]).tolist())
    with open_video(path) as video:
        assert len(video) == 30
        assert video.fps == pytest.approx(rate, rel=0.03)


def test_one_frame_has_the_rate_of_a_folder(tmp_path: Path) -> None:
    with open_video(browser_recording(tmp_path / "a.webm", [0])) as video:
        assert video.fps == 25


@pytest.mark.parametrize(
    "name", ["13:19:57.mp4", "take:1.mp4", "http:clip.mp4", "Screen recording 1:2.mp4", "%03d.mp4"]
)
def test_any_name_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with VideoWriter(name, 25, (48, 32)) as writer:
        writer.write(GREY)
    assert holds_video(Path(name))
    with open_video(name) as video:
        assert len(video) == 1


@pytest.mark.parametrize(
    ("name", "codec", "container"),
    [
        ("a.mpg", "mpeg1video", "mpeg"),
        ("a.wmv", "wmv2", "asf"),
        ("a.ts", "mpeg2video", "mpegts"),
        ("a.flv", "flv", "flv"),
        ("a.gif", "gif", "gif"),
        ("a.mov", "mjpeg", "mov"),
        ("no suffix", "mpeg4", "avi"),
        ("a.h264", "libx264", "h264"),
    ],
)
def test_whatever_opens_as_a_video_is_one(tmp_path: Path, name: str, codec: str, container: str) -> None:
    with av.open(str(tmp_path / name), "w", format=container) as file:
        stream = file.add_stream(codec, rate=25)
        stream.width, stream.height = 48, 32
        stream.pix_fmt = {"gif": "rgb8", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
        for level in range(12):
            frame = av.VideoFrame.from_ndarray(np.full((32, 48, 3), 20 * level, np.uint8), format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    assert holds_video(tmp_path / name)
    assert read_first_frame(tmp_path / name).shape == (32, 48, 3)


def test_old_quicktime_without_a_type_of_file(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", 25, (48, 32)) as writer:
        writer.write(GREY)
    content = (tmp_path / "a.mp4").read_bytes()
    length = int.from_bytes(content[:4], "big")
    # ftyp becomes an atom to pass over, of the same length, so that the offsets in the file stay right
    (tmp_path / "a.mov").write_bytes(content[:4] + b"wide" + content[8:length] + content[length:])
    assert holds_video(tmp_path / "a.mov")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.avif", "a.json", "a.npz", "a.txt"])
def test_images_and_data_are_no_videos(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.npz":
        np.savez(path, keypoints=np.zeros((2, 133, 3)))
    elif path.suffix in (".json", ".txt"):
        path.write_text("[1, 2, 3]" if path.suffix == ".json" else "1 2\n" * 18)
    else:
        Image.fromarray(GREY).save(path)
    assert not holds_video(path)
    assert path.suffix in (".json", ".txt") or not is_video(path)


def test_pixels_that_are_not_square_are_squared(
    tmp_path: Path, moving_image: Callable[[int, int, int], np.ndarray]
) -> None:
    frames = moving_image(3, 80, 66)
    with av.open(str(tmp_path / "pal.mp4"), "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"crf": "4"})
        stream.width, stream.height, stream.pix_fmt = 66, 80, "yuv444p"
        stream.codec_context.sample_aspect_ratio = Fraction(16, 11)
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode(None))
    with pytest.warns(InputWarning, match=r"pal\.mp4: its pixels are not square \(16/11\); frames are shown as 96x80"):
        video = open_video(tmp_path / "pal.mp4")
    assert (video.size, video.stored_size) == ((96, 80), (66, 80))
    wide = np.asarray(Image.fromarray(frames[1]).resize((96, 80), Image.Resampling.BICUBIC))
    assert np.abs(video[1].astype(int) - wide).mean() < 4


@pytest.mark.parametrize(("transfer", "white", "grey"), [(HLG, 0.75, 0.38), (PQ, 0.58, 0.38)])
def test_bright_light_is_rolled_off(transfer: int, white: float, grey: float) -> None:
    """Reference white of BT.2408 is nearly white, an 18 % grey is the usual grey, order and neutrality stay."""
    ramp = np.rint(np.linspace(0, 255, 256)).astype(np.uint8)
    shown = to_sdr(np.repeat(ramp[None, :, None], 3, 2), transfer)[0].astype(int)
    assert np.diff(shown[:, 1]).min() >= -1  # the table's own rounding
    assert np.abs(np.ptp(shown, axis=1)).max() <= 4
    assert 215 <= shown[round(255 * white), 1] <= 245
    assert 90 <= shown[round(255 * grey), 1] <= 135
    assert shown[0].tolist() == [0, 0, 0]


def test_a_telephones_hdr_is_toned_down_and_said(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "hlg.mp4"), "w") as file:
        stream = file.add_stream("libx264", rate=30, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p10le"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 9, 9, HLG, 1
        frame = av.VideoFrame(64, 64, "yuv420p10le")
        for plane, value in zip(frame.planes, (721, 512, 512), strict=True):  # 75 %, neutral
            plane.update(np.full(plane.buffer_size // 2, value, "<u2").tobytes())
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    with pytest.warns(InputWarning, match=r"hlg\.mp4: high dynamic range \(HLG\)"):
        video = open_video(tmp_path / "hlg.mp4")
    assert np.abs(video[0].astype(int) - 227).max() <= 4


def test_a_telephones_still_is_named(tmp_path: Path) -> None:
    (tmp_path / "IMG_1.HEIC").write_bytes(b"\x00\x00\x00\x24ftypheic" + bytes(100))
    with pytest.raises(UserError, match=r"IMG_1\.HEIC: an image of the HEIF family, .*: save it as JPEG or PNG"):
        read_first_frame(tmp_path / "IMG_1.HEIC")
