import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from signgen.errors import InputWarning, UserError
from signgen.video import read_image
from signgen.video.images import image_size

IMAGE = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def test_rgb_comes_as_it_is(tmp_path):
    Image.fromarray(IMAGE).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png") == IMAGE).all()


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "RGBA", "LA", "I;16", "F"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    suffix = "tif" if mode in ("CMYK", "F") else "png"
    Image.new(mode, (8, 6)).save(tmp_path / f"a.{suffix}")
    image = read_image(tmp_path / f"a.{suffix}")
    assert image.shape == (6, 8, 3)
    assert image.dtype == np.uint8


def test_sixteen_bits_are_brought_to_eight(tmp_path):
    Image.fromarray(np.array([[0, 256, 65535]], np.uint16)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png")[0, :, 0].tolist() == [0, 1, 255]


def test_transparency_lies_on_black(tmp_path):
    image = np.dstack([IMAGE, np.full((6, 8), 0, np.uint8)])
    Image.fromarray(image).save(tmp_path / "a.png")
    assert not read_image(tmp_path / "a.png").any()


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned right by a quarter
    Image.fromarray(IMAGE).save(tmp_path / "a.png", exif=exif)
    assert (read_image(tmp_path / "a.png") == np.rot90(IMAGE, -1)).all()
    assert image_size(tmp_path / "a.png") == IMAGE.shape[:2]


def test_missing_broken_and_huge_images(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"a\.png: no such image"):
        read_image(tmp_path / "a.png")
    with pytest.raises(UserError, match="a folder, not an image"):
        read_image(tmp_path)
    Image.fromarray(IMAGE).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(UserError, match="too large"):
        read_image(tmp_path / "a.png")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=100), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"BM", b"GIF89a"]))
def test_any_bytes_are_a_image_or_a_user_error(tmp_path_factory, content, start):
    path = tmp_path_factory.getbasetemp() / "any.png"
    path.write_bytes(start + content)
    try:
        assert read_image(path).ndim == 3
    except UserError as error:
        assert "\n" not in str(error)


def test_other_formats_than_the_five_are_not_opened_whatever_the_name(tmp_path: Path) -> None:
    Image.new("RGB", (8, 6)).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.png")  # which Pillow would hand to Ghostscript
    with pytest.raises(UserError, match="not an image, or of another format than PNG, JPEG, BMP, WEBP, TIFF"):
        read_image(tmp_path / "a.png")


def test_a_small_file_of_a_huge_image_is_refused(tmp_path: Path) -> None:
    Image.new("1", (10_000, 10_000)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="too large: 10000x10000 pixels"):
        read_image(tmp_path / "a.png")


def test_pipes_and_devices_are_no_images(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    for path in (tmp_path / "a.png", Path("/dev/zero")):
        with pytest.raises(UserError, match="a pipe or a device"):
            read_image(path)


def _display_p3() -> bytes:
    """A profile whose primaries are those of Display P3, as sRGB's with other colorants (ICC.1, s15Fixed16)."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    colorants = {
        b"rXYZ": (0.51512, 0.2412, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.1571, 0.06657, 0.78407),
    }
    for number in range(int.from_bytes(profile[128:132], "big")):
        tag, offset, _ = struct.unpack_from(">4sII", profile, 132 + 12 * number)
        if tag in colorants:
            struct.pack_into(">3i", profile, offset + 8, *(round(65536 * value) for value in colorants[tag]))
    return bytes(profile)  # its description still says sRGB


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_an_embedded_profile_is_applied(tmp_path, mode):
    image = Image.new("RGB", (4, 4), (234, 51, 35)).convert(mode, palette=Image.Palette.ADAPTIVE)
    image.save(tmp_path / "p3.png", icc_profile=_display_p3())
    assert np.abs(read_image(tmp_path / "p3.png").astype(int) - (255, 0, 0)).max() <= 3


def test_srgb_stays_as_it_is(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(noise).save(tmp_path / "a.png", icc_profile=own)
    assert np.array_equal(read_image(tmp_path / "a.png"), noise)


def test_a_broken_profile_is_said(tmp_path):
    Image.new("RGB", (4, 4), (9, 8, 7)).save(tmp_path / "a.png", icc_profile=b"no profile")
    with pytest.warns(InputWarning, match="colour profile cannot be applied"):
        assert read_image(tmp_path / "a.png")[0, 0].tolist() == [9, 8, 7]
