import numpy as np
import torch
from PIL import Image

from signgen.models.pixels import CLIP_STATISTICS, encoder_pixels, resize, to_frames, to_images


def frames(count: int, height: int, width: int) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(0, 256, (count, height, width, 3), dtype=np.uint8))


def test_frames_survive_the_way_to_images_and_back() -> None:
    every_value = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1).expand(-1, -1, -1, 3)
    assert torch.equal(to_frames(to_images(every_value)), every_value)
    assert to_images(every_value).min() == -1
    assert to_images(every_value).max() == 1


def test_resizing_is_pillows() -> None:
    image = frames(2, 26, 21)
    expected = Image.fromarray(image[1].numpy()).resize((40, 33), Image.Resampling.BICUBIC)
    assert np.array_equal(resize(image, (33, 40))[1].numpy(), np.asarray(expected))


def test_encoder_pixels_are_normalised_per_channel() -> None:
    mean, std = CLIP_STATISTICS
    grey = torch.full((1, 4, 4, 3), 255, dtype=torch.uint8)
    pixels = encoder_pixels(grey, (4, 4), CLIP_STATISTICS)
    assert torch.allclose(pixels[0, :, 0, 0], torch.tensor([(1 - m) / s for m, s in zip(mean, std, strict=True)]))
