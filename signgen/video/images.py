"""Reads single images as uint8 RGB."""

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageChops, ImageCms, ImageOps, UnidentifiedImageError

from signgen.errors import InputWarning, UserError, one_line, warn
from signgen.io.limits import check_plain, read_bytes

IMAGE_SUFFIXES = frozenset(".png .jpg .jpeg .jfif .bmp .webp .tif .tiff .avif .jp2".split())
# Pillow knows more: PostScript, for one, it hands to Ghostscript, which runs it.
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF", "AVIF", "JPEG2000")
MAX_BYTES, MAX_PIXELS = 256 << 20, 50_000_000  # the largest of telephones' images have 50 million
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
JPEG, JPEG_SCAN, MAX_SCANS = b"\xff\xd8", b"\xff\xda", 100  # what a JPEG and each pass over it begins with
ROUNDING = 2  # levels of 255 by which a conversion from sRGB to sRGB may be off: such an image stays as it is
SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that exchange width and height


def is_image(path: Path) -> bool:
    """Whether the file's name says that it is an image."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def holds_image(path: Path) -> bool:
    """Whether a file's content begins as an image's, whatever its name says."""
    try:
        check_plain(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.open(path, formats=FORMATS).close()
        return True
    except Exception:  # Pillow's readers raise almost anything on what is no image
        return False


def read_image(path: str | Path) -> np.ndarray:
    """uint8 (H, W, 3) sRGB, turned upright as its EXIF data say, transparency on black, 16-bit grey cut to 8.

    An embedded colour profile is applied; where it is broken, a warning says so.

    Raises UserError where it is missing, broken, or no image.
    """
    with _opened(path) as image:
        ImageOps.exif_transpose(image, in_place=True)
        return np.asarray(_to_rgb(image))


def image_size(path: str | Path) -> tuple[int, int]:
    """(width, height) of what read_image gives, from the image's header alone. UserError as there."""
    with _opened(path) as image:
        width, height = image.size
        return (height, width) if image.getexif().get(ExifTags.Base.Orientation) in SIDEWAYS else (width, height)


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    """An image whose header is read; what Pillow raises in the block, too, becomes a UserError."""
    try:
        content = read_bytes(path, MAX_BYTES)
        if content.startswith(JPEG) and content.count(JPEG_SCAN) > MAX_SCANS:
            raise UserError(f"{path}: a JPEG of more than {MAX_SCANS} scans would take too long to read")
        quiet = _without_stderr() if content.startswith(TIFF) else nullcontext()
        with quiet, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's
            warnings.simplefilter("always", InputWarning)
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise UserError(f"{path}: the image is too large: {image.width}x{image.height} pixels")
                yield image
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such image") from error
    except IsADirectoryError as error:
        raise UserError(f"{path}: a folder, not an image") from error
    except UnidentifiedImageError as error:
        raise UserError(f"{path}: not an image, or of another format than {', '.join(FORMATS)}") from error
    except Image.DecompressionBombError as error:
        raise UserError(f"{path}: the image is too large") from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise almost anything on broken files
        raise UserError(f"{path}: broken image ({one_line(error)})") from error


@contextmanager
def _without_stderr() -> Iterator[None]:
    """libtiff prints there what Pillow raises as well."""
    with open(os.devnull, "w") as nothing:
        kept = os.dup(2)
        os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _to_rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("CMYK", "L", "LAB"):
        return _in_srgb(image, profile)
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    image = image if image.mode == "RGB" else image.convert("RGB")  # which would copy
    return _in_srgb(image, profile) if profile else image


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """The image's colours, which its ICC profile defines, in sRGB."""
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted: Any = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        warn(f"the image's colour profile cannot be applied ({one_line(error)}): colours may be off")
        return image.convert("RGB")
    if image.mode == "RGB" and np.asarray(ImageChops.difference(image, converted)).max() <= ROUNDING:
        return image
    return converted
