import itertools

import pytest
import torch

from signgen.runtime.batch_size import BATCH_SIZE, LARGEST, SHARE, batch_sizes, device_memory


class FakeMemory:
    """A device with `total` bytes left, of which a frame takes `frame`."""

    def __init__(self, total: int, frame: int) -> None:
        self.total, self.frame, self.rendered = total, frame, 0

    def free(self) -> int:
        return self.total

    def begin(self) -> None:
        assert not self.rendered

    def taken(self) -> int:
        assert self.rendered == 1
        return self.frame


@pytest.mark.parametrize(("total", "size"), [(1000, int(10 * SHARE)), (10, 1), (10**9, LARGEST)])
def test_what_one_frame_takes_says_how_many_fit(total: int, size: int) -> None:
    memory = FakeMemory(total, 100)
    found = []
    for batch in itertools.islice(batch_sizes(memory), 3):
        found.append(batch)
        memory.rendered += batch
    assert found == [1, size, size]


def test_where_memory_is_not_measured_the_size_is_fixed() -> None:
    assert device_memory(torch.device("cpu")) is None
    assert list(itertools.islice(batch_sizes(None), 2)) == [BATCH_SIZE] * 2
