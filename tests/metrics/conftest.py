import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

HEIGHT, WIDTH, FRAMES = 130, 105, 14


@pytest.fixture(scope="session")
def reference() -> Tensor:
    """A smooth random image that drifts to the right by a pixel a frame, uint8 (14, 130, 105, 3)."""
    noise = np.random.default_rng(0).normal(size=(HEIGHT, WIDTH + FRAMES, 3))
    image = gaussian_filter(noise, (3, 3, 0), mode="wrap")
    image = (128 + 50 * image / image.std()).clip(0, 255).astype(np.uint8)
    return torch.from_numpy(np.stack([image[:, FRAMES - i : FRAMES - i + WIDTH] for i in range(FRAMES)]))


@pytest.fixture(scope="session")
def noisy(reference: Tensor) -> Tensor:
    """The reference with noise of standard deviation 8."""
    noise = torch.randn(reference.shape, generator=torch.Generator().manual_seed(1)) * 8
    return (reference + noise).round().clamp(0, 255).byte()


@pytest.fixture(scope="session")
def keypoints() -> Tensor:
    """Two hands, the left in the middle, the right at the lower border; the right one missing in frame 3."""
    points = torch.zeros(FRAMES, 133, 3)
    for hand, x, y in ((91, 40.0, 60.0), (112, 70.0, 128.0)):
        spread = torch.randn(21, 2, generator=torch.Generator().manual_seed(hand)) * 5
        points[:, hand : hand + 21, :2] = torch.tensor([x, y]) + spread
        points[:, hand + 9, :2] = torch.tensor([x, y])
        points[:, hand : hand + 21, 2] = 1
    points[:, :91, :2] = torch.rand(91, 2, generator=torch.Generator().manual_seed(2)) * 60 + 20
    points[:, :91, 2] = 1
    points[3, 112:, 2] = 0
    return points
