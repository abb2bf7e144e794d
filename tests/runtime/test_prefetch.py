import threading
import time
from collections.abc import Iterator

import pytest

from signgen.errors import UserError
from signgen.runtime.prefetch import one_late, overlapped, read_ahead


def test_items_are_taken_in_order_by_another_thread_before_the_block_is_left() -> None:
    taken: list[tuple[int, bool]] = []

    def consume(item: int) -> None:
        time.sleep(0.001)
        taken.append((item, threading.current_thread() is threading.main_thread()))

    with overlapped(consume, depth=2) as hand_over:
        for item in range(20):
            hand_over(item)
    assert taken == [(item, False) for item in range(20)]


def test_no_more_than_the_depth_wait() -> None:
    gate = threading.Event()
    handed = []
    with overlapped(lambda item: gate.wait(5), depth=3) as hand_over:

        def fill() -> None:
            for item in range(10):
                hand_over(item)
                handed.append(item)

        filling = threading.Thread(target=fill)
        filling.start()
        time.sleep(0.1)
        assert len(handed) <= 4  # three that wait, one that is being taken
        gate.set()
        filling.join()
    assert len(handed) == 10


def test_an_error_reaches_the_main_thread() -> None:
    def consume(item: int) -> None:
        if item == 3:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), overlapped(consume, depth=1) as hand_over:
        for item in range(1000):
            hand_over(item)
    with pytest.raises(OSError, match="disk full"), overlapped(consume) as hand_over:
        hand_over(3)  # nothing comes after it: raised at the end


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_waits_is_dropped_when_the_block_fails(error: type[BaseException]) -> None:
    taken = []

    def consume(item: int) -> None:
        time.sleep(0.02)
        taken.append(item)

    with pytest.raises(error), overlapped(consume, depth=50) as hand_over:
        for item in range(50):
            hand_over(item)
        raise error
    assert len(taken) < 50


def test_reading_is_one_item_ahead_and_in_order() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(4):
            taken.append(number)
            yield number

    ahead = read_ahead(items())
    assert next(ahead) == 0
    assert list(ahead) == [1, 2, 3]
    assert taken == [0, 1, 2, 3]
    started = read_ahead(items())
    next(started)
    started.close()  # what was taken ahead is dropped
    assert taken[4:] in ([0], [0, 1])


def test_an_error_of_reading_comes_at_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise UserError("broken")

    ahead = read_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(UserError, match="broken"):
        next(ahead)


def test_items_come_once_the_next_one_is_taken() -> None:
    taken: list[int] = []

    def items(count: int) -> Iterator[int]:
        for number in range(count):
            taken.append(number)
            yield number

    late = one_late(items(3))
    assert next(late) == 0
    assert taken == [0, 1]
    assert list(late) == [1, 2]
    assert list(one_late(items(1))) == [0]
    assert list(one_late(items(0))) == []
