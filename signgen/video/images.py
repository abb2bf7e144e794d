"""Single pictures, read as uint8 RGB."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from signgen.errors import UserError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})
SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that exchange width and height


def is_image(path: Path) -> bool:
    """Whether the file's name says that it is a picture."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def read_image(path: str | Path) -> np.ndarray:
    """uint8 (H, W, 3) RGB, turned upright as its EXIF data say, transparency on black, 16-bit grey cut to 8.

    Raises UserError where it is missing, broken, or no picture.
    """
    with _opened(path) as image:
        ImageOps.exif_transpose(image, in_place=True)
        return np.asarray(_to_rgb(image))


def image_size(path: str | Path) -> tuple[int, int]:
    """(width, height) of what read_image gives, from the picture's header alone. UserError as there."""
    with _opened(path) as image:
        width, height = image.size
        return (height, width) if image.getexif().get(ExifTags.Base.Orientation) in SIDEWAYS else (width, height)


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    """A picture whose header is read; what Pillow raises in the block, too, becomes a UserError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                yield image
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such picture") from error
    except IsADirectoryError as error:
        raise UserError(f"{path}: a folder, not a picture") from error
    except UnidentifiedImageError as error:
        raise UserError(f"{path}: not a picture, or of a format that Pillow cannot read") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UserError(f"{path}: the picture is too large") from error
    except Exception as error:  # Pillow's decoders raise almost anything on broken files
        raise UserError(f"{path}: broken picture ({one_line(error)})") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    return image if image.mode == "RGB" else image.convert("RGB")  # which would copy


def one_line(error: Exception) -> str:
    """The error's message on one line, or its kind where it has none."""
    return " ".join(str(error).split()) or type(error).__name__
