import numpy as np
import pytest
import torch
from torch import Tensor

from signgen.models.source_colours import background, skin
from signgen.models.transport import composed, cover, layers, sample, transport

HEIGHT, WIDTH = 120, 100
UPRIGHT = {0: (50, 30), 5: (65, 60), 6: (35, 60), 7: (75, 80), 8: (25, 80), 9: (80, 100), 10: (20, 100)}


def pose(**changes: tuple[float, float] | None) -> Tensor:
    """An upright signer, (1, 133, 3), with points moved (`p9=(x, y)`) or missing (`p9=None`)."""
    points = torch.zeros(1, 133, 3)
    where = dict(UPRIGHT) | {int(name[1:]): place for name, place in changes.items()}
    angles = torch.linspace(0, 2 * torch.pi, 68)
    face = torch.stack([50 + 9 * torch.cos(angles), 30 + 11 * torch.sin(angles), torch.ones(68)], -1)
    points[0, 23:91] = face
    for index, place in where.items():
        if place is not None:
            points[0, index] = torch.tensor([*place, 1.0])
    return points


def moved(image: Tensor, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The transported image (1, 3, H, W) and where it has nothing to show."""
    found = transport(source, target, (HEIGHT, WIDTH), stride=1)
    parts = layers(image, background(image, cover(source, (HEIGHT, WIDTH))), found, (HEIGHT, WIDTH))
    return composed(parts, found), found.hidden


def dotted(x: float, y: float) -> Tensor:
    """Grey, with a white dot of a few pixels."""
    rows, columns = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    near = torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8.0)
    return near.expand(1, 3, -1, -1)


def brightest(image: Tensor) -> tuple[float, float]:
    row, column = divmod(int(image[0, 0].argmax()), WIDTH)
    return column, row


def test_nothing_moves_where_the_pose_stays() -> None:
    image = torch.rand(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    same, hidden = moved(image, pose(), pose())
    torch.testing.assert_close(same, image, atol=1e-3, rtol=0)
    assert hidden.max() < 1e-3


def test_what_is_far_from_the_signer_stays_when_they_move() -> None:
    image = torch.rand(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    other, _ = moved(image, pose(), pose(p9=(60, 70), p7=(80, 78)))
    torch.testing.assert_close(other[..., :15, :15], image[..., :15, :15], atol=1e-3, rtol=0)


def test_a_forearm_that_turns_by_30_degrees_takes_its_pixels_along() -> None:
    elbow, wrist = np.array(UPRIGHT[7]), np.array(UPRIGHT[9])
    turn = np.radians(30)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    new_wrist = elbow + rotation @ (wrist - elbow)
    spot = elbow + 0.7 * (wrist - elbow)
    image, _ = moved(dotted(*spot), pose(), pose(p9=tuple(new_wrist)))
    assert brightest(image) == pytest.approx(elbow + rotation @ (spot - elbow), abs=1.5)


def test_a_bone_that_is_foreshortened_shrinks_its_pixels_along_it() -> None:
    elbow, wrist = np.array(UPRIGHT[7]), np.array(UPRIGHT[9])
    image, _ = moved(dotted(*(elbow + 0.6 * (wrist - elbow))), pose(), pose(p9=tuple(elbow + 0.5 * (wrist - elbow))))
    assert brightest(image) == pytest.approx(elbow + 0.3 * (wrist - elbow), abs=1.5)


def test_a_head_that_moves_takes_its_pixels_along() -> None:
    source, target = pose(), pose()
    target[0, 23:91, 0] += 6
    image, _ = moved(dotted(50, 26), source, target)
    assert brightest(image) == pytest.approx((56, 26), abs=1.5)


def test_where_an_arm_was_its_surroundings_are_shown_and_the_map_says_so() -> None:
    image = torch.full((1, 3, HEIGHT, WIDTH), 0.5)
    image[..., 82:100, 76:80] = -1  # the left forearm
    other, hidden = moved(image, pose(), pose(p7=(72, 68), p9=(60, 50)))
    assert hidden[0, 0, 92, 78] > 0.9
    assert other[0, 0, 92, 78] > 0.2
    assert hidden[0, 0, 10, 10] < 1e-6


def hand(points: Tensor, wrist: tuple[float, float], side: int = 91) -> Tensor:
    """The same pose with a hand of five straight fingers above the wrist."""
    points = points.clone()
    x, y = wrist
    points[0, side] = torch.tensor([x, y, 1.0])
    for finger in range(5):
        for joint in range(4):
            points[0, side + 1 + 4 * finger + joint] = torch.tensor([x - 4 + 2 * finger, y - 4 - 3 * joint, 1.0])
    return points


def test_a_hand_that_the_source_does_not_show_is_said_to_be_bare() -> None:
    target = hand(pose(p9=(50, 75)), (50, 75))
    found = transport(pose(p9=(50, 75)), target, (HEIGHT, WIDTH), stride=1)
    assert found.bare[0, 0, 65, 50] > 0.9
    assert found.bare[0, 0, 100, 20] < 1e-3
    both = transport(target, target, (HEIGHT, WIDTH), stride=1)
    assert both.bare.max() < 1e-3


def test_a_hand_that_both_show_moves_with_its_points() -> None:
    source, target = hand(pose(p9=(60, 90)), (60, 90)), hand(pose(p9=(40, 80)), (40, 80))
    image, _ = moved(dotted(60, 80), source, target)
    assert brightest(image) == pytest.approx((40, 70), abs=1.5)


def test_parts_that_are_missing_anywhere_move_nothing_and_give_finite_numbers() -> None:
    empty = torch.zeros(1, 133, 3)
    image = torch.rand(1, 3, HEIGHT, WIDTH)
    for source, target in ((empty, pose()), (pose(), empty), (empty, empty)):
        other, hidden = moved(image, source, target)
        assert other.isfinite().all()
        assert hidden.isfinite().all()
    torch.testing.assert_close(other, image, atol=1e-3, rtol=0)


def test_rows_of_a_batch_do_not_see_each_other_and_one_source_serves_all() -> None:
    targets = torch.cat([pose(p9=(60, 70)), pose(p10=(45, 75)), pose()])
    together = transport(pose(), targets, (HEIGHT, WIDTH))
    for row, target in enumerate(targets):
        alone = transport(pose(), target[None], (HEIGHT, WIDTH))
        for name in ("shifts", "shown", "hidden", "bare"):
            torch.testing.assert_close(getattr(together, name)[row], getattr(alone, name)[0], atol=1e-5, rtol=1e-4)


def test_a_larger_image_moves_as_the_small_one_does() -> None:
    source, target = pose(), pose(p9=(60, 70))
    found = transport(source, target, (HEIGHT, WIDTH))
    small = torch.rand(1, 3, 12, 10).mul(2).sub(1)
    image = torch.nn.functional.interpolate(small, (3 * HEIGHT, 3 * WIDTH), mode="bicubic")
    reduced = torch.nn.functional.avg_pool2d(image, 3)
    covered = cover(source, (HEIGHT, WIDTH))
    large, little = (
        composed(layers(each, background(each, covered), found, tuple(each.shape[-2:])), found)
        for each in (image, reduced)
    )
    assert (torch.nn.functional.avg_pool2d(large, 3) - little).abs().mean() < 0.02


def test_transport_is_differentiable() -> None:
    target = pose(p9=(60, 70)).requires_grad_()
    image = torch.rand(1, 3, HEIGHT, WIDTH)
    moved(image, pose(), target)[0].square().sum().backward()
    assert target.grad is not None
    assert target.grad.isfinite().all()
    assert target.grad[0, 9].abs().max() > 0


def test_the_colour_of_the_skin_is_that_of_nose_and_cheeks() -> None:
    points = pose()
    image = torch.zeros(1, 3, HEIGHT, WIDTH)
    image[:, 0, 15:45, 38:62] = 0.7
    colour, found = skin(image, points)
    assert colour.flatten().tolist() == pytest.approx([0.7, 0, 0], abs=1e-3)
    assert found.item() == 1
    assert skin(image, torch.zeros(1, 133, 3))[1].item() == 0


def test_sampling_at_a_places_own_coordinates_gives_the_image() -> None:
    image = torch.rand(2, 3, 7, 9)
    rows, columns = torch.meshgrid((torch.arange(7) + 0.5) / 7, (torch.arange(9) + 0.5) / 9, indexing="ij")
    torch.testing.assert_close(sample(image, torch.stack([columns, rows], -1)[None]), image)
