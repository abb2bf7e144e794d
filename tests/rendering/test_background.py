import torch
from torch import Tensor

from signgen.metrics.temporal import away_from_pose
from signgen.rendering.background import locked_background

HEIGHT, WIDTH = 60, 80


def source() -> Tensor:
    return torch.randint(60, 180, (HEIGHT, WIDTH, 3), generator=torch.Generator().manual_seed(0)).byte()


def pose_at(*columns: int) -> Tensor:
    """Drawings of a vertical line at each of these columns."""
    drawings = torch.zeros(len(columns), HEIGHT, WIDTH, 3, dtype=torch.uint8)
    for row, column in enumerate(columns):
        drawings[row, :, column] = 255
    return drawings


def test_blocks_away_from_the_pose() -> None:
    away = away_from_pose(pose_at(10, 70), 1 / 8)
    assert away.shape == (2, 15, 20)
    assert not away[0, :, :5].any()
    assert away[0, :, 6:].all()
    assert not away_from_pose(torch.zeros_like(pose_at(0)), 1 / 8).any()  # no pose: nothing is known


def test_small_differences_far_from_the_pose_are_replaced_and_nothing_near_it() -> None:
    locked = locked_background(source()[None] + 5, source(), pose_at(10))[0]
    assert (locked[:, 40:] == 255).all()
    assert (locked[:, :16] == 0).all()
    assert (locked.diff(dim=1) >= 0).all()  # feathered


def test_what_the_model_renders_otherwise_stays() -> None:
    generated = source()[None].clone()
    generated[:, 20:40, 50:70] //= 2  # where the first frame has a signer, say, and the rendered one has not
    locked = locked_background(generated, source(), pose_at(5))[0]
    assert (locked[20:40, 50:70] == 0).all()
    assert (locked[56:, 30:40] == 255).all()
