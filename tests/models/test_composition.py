import pytest
import torch

from signgen.models.composition import Composed, Composition
from signgen.models.first_frame import FirstFrame, MovedFrame
from signgen.models.full_size import composed_at_size
from signgen.models.transport import enlarged, layers
from tests.models.test_transport import HEIGHT, WIDTH, hand, pose


@pytest.fixture
def composition() -> Composition:
    torch.manual_seed(0)
    return Composition(channels=8, deep_channels=8, groups=4).eval()


def moved_frame(rows: int = 2) -> MovedFrame:
    image = torch.rand(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1)) * 2 - 1
    first = FirstFrame.of(image, pose(), torch.zeros_like(image))
    return first.moved_to(torch.cat([hand(pose(p9=(50, 75)), (50, 75)), pose()])[:rows])


@torch.no_grad()
def test_weights_add_up_and_at_the_start_only_what_is_hidden_is_generated(composition: Composition) -> None:
    moved = moved_frame()
    generated, maps = torch.zeros(2, 3, HEIGHT, WIDTH), torch.zeros(2, 3, HEIGHT, WIDTH)
    made = composition(generated, moved, maps, maps[:1])
    torch.testing.assert_close(made.weights.sum(1), torch.ones(2, HEIGHT, WIDTH))
    assert made.weights[0, 3, 65, 50] > 0.6  # the hand that the source does not show
    assert made.weights[1, 3].max() < 0.2  # the source's own pose
    torch.testing.assert_close(made.generated, generated)


@torch.no_grad()
def test_layers_of_any_size_are_weighed_alike() -> None:
    weights = torch.zeros(1, 4, 6, 4)
    weights[:, 0, :, :2] = 1
    weights[:, 3, :, 2:] = 1
    made = Composed(weights, torch.full((1, 3, 6, 4), 0.25))
    image = torch.rand(1, 1, 3, 60, 40)
    frame = made.over(image.expand(1, 3, 3, 60, 40))
    torch.testing.assert_close(frame[..., :10], image[0, :, :, :, :10])  # sharp as it was
    torch.testing.assert_close(frame[..., 30:], torch.full((1, 3, 60, 10), 0.25))


@torch.no_grad()
def test_rows_do_not_see_each_other(composition: Composition) -> None:
    torch.nn.init.normal_(composition.leave.weight, std=0.1)
    moved, one = moved_frame(), moved_frame(1)
    generated, maps = torch.rand(2, 3, HEIGHT, WIDTH), torch.rand(2, 3, HEIGHT, WIDTH)
    both = composition(generated, moved, maps, maps[:1])
    alone = composition(generated[:1], one, maps[:1], maps[:1])
    torch.testing.assert_close(both.weights[:1], alone.weights, atol=1e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (3 * HEIGHT, 3 * WIDTH), (251, 333)])
def test_a_frame_at_its_own_size_is_what_all_its_layers_add_up_to(
    composition: Composition, size: tuple[int, int]
) -> None:
    torch.nn.init.normal_(composition.leave.weight, std=0.1)
    moved = moved_frame()
    maps = torch.rand(2, 3, HEIGHT, WIDTH)
    made = composition(torch.rand(2, 3, HEIGHT, WIDTH), moved, maps, maps[:1])
    image, behind = torch.rand(2, 1, 3, *size)
    frames = composed_at_size(made, moved.transport, image, behind)
    # `hidden` is enlarged from the composition's size here, from the transport's own there.
    moved.transport.hidden = enlarged(moved.transport.hidden, (HEIGHT, WIDTH))
    difference = (frames - made.over(layers(image, behind, moved.transport, size))).abs()
    assert difference.mean() < 1e-3
    assert difference.max() < 0.06


@torch.no_grad()
def test_where_nothing_moves_and_nothing_is_generated_the_frame_is_the_first_frame() -> None:
    image = torch.rand(1, 3, 3 * HEIGHT, 3 * WIDTH)
    first = FirstFrame.of(torch.rand(1, 3, HEIGHT, WIDTH), pose(), torch.zeros(1, 3, HEIGHT, WIDTH))
    moved = first.moved_to(pose())
    weights = torch.zeros(1, 4, HEIGHT, WIDTH)
    weights[:, 0] = 1
    made = Composed(weights, torch.zeros(1, 3, HEIGHT, WIDTH))
    torch.testing.assert_close(composed_at_size(made, moved.transport, image, image), image, atol=1e-4, rtol=0)
