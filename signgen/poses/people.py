"""Several people in the frames of a pose file: each is followed through the clip, and one is chosen."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from signgen.errors import UserError, warn

# How far a person may move between two frames that show them, in diagonals of their own box.
REACH = 0.5
# Somebody who is there for less than this share of the frames that the most lasting person has is a false find.
LASTING = 0.1
PERSON = "N, left, right, largest, or x,y"


@dataclass(frozen=True, eq=False)
class Person:
    """One person of a clip.

    Attributes:
        points: (F, K, 3) x, y and a score, 0 where the person is not seen.
        centre: x and y of the middle of the person's points, the median over the frames.
        first: the middle in the first frame that shows the person.
        extent: the sum over the frames of the box's area, weighted by the share of points that are seen.
        frames: in how many frames the person is seen.
    """

    points: np.ndarray
    centre: tuple[float, float]
    first: tuple[float, float]
    extent: float
    frames: int

    @classmethod
    def of(cls, points: np.ndarray) -> "Person":
        seen = np.flatnonzero((points[..., 2] > 0).any(1))
        boxes = np.array([_box(points[frame]) for frame in seen])
        middles, areas = boxes.reshape(-1, 2, 2).mean(1), np.ptp(boxes.reshape(-1, 2, 2), 1).prod(1)
        share = (points[seen, :, 2] > 0).mean(1)
        x, y = np.median(middles, axis=0).tolist()
        return cls(points, (x, y), tuple(middles[0].tolist()), float((areas * share).sum()), len(seen))


def people(points: np.ndarray) -> list[Person]:
    """The people in (F, N, K, 3) points of up to N people a frame, in the order in which they appear.

    A person is followed by place and size: the order of the people in a frame means nothing. People who are seen for
    a moment only, beside others who stay, are left out.
    """
    if points.shape[1] == 1:
        return [Person.of(points[:, 0])] if (points[..., 2] > 0).any() else []
    who = _follow(points)
    found = [Person.of(_of_person(points, who == number)) for number in range(who.max(initial=-1) + 1)]
    longest = max((person.frames for person in found), default=0)
    return [person for person in found if person.frames >= LASTING * longest]


def choose(found: list[Person], wanted: str | None) -> Person:
    """One of the people: by number (from 0, as they appear), left, right, largest, or the one nearest to x,y.

    Left and right are the viewer's. Without a wish it is the largest, and a warning says so where there are several.
    Raises UserError for a person who is not there.
    """
    if wanted is None:
        largest = max(found, key=lambda person: person.extent)
        if len(found) > 1:
            places = ", ".join(f"{number} at x {person.centre[0]:.0f}" for number, person in enumerate(found))
            warn(
                f"{len(found)} people ({places}): the largest, {found.index(largest)}, is followed; "
                f"choose by --person {PERSON}"
            )
        return largest
    if wanted.isdecimal():
        if int(wanted) >= len(found):
            raise UserError(f"there is no person {wanted}: the {len(found)} people are counted from 0")
        return found[int(wanted)]
    return min(found, key=_ranking(wanted))


def _ranking(wanted: str) -> Callable[[Person], float]:
    """What is smallest of the person who is wanted."""
    if wanted == "left":
        return lambda person: person.centre[0]
    if wanted == "right":
        return lambda person: -person.centre[0]
    if wanted == "largest":
        return lambda person: -person.extent
    match = re.fullmatch(r"(\d{1,5}(?:\.\d+)?),(\d{1,5}(?:\.\d+)?)", wanted)
    if match is None:
        raise UserError(f"--person {wanted}: expected {PERSON}, such as 0, left, or 320,200")
    x, y = float(match[1]), float(match[2])
    return lambda person: float(np.hypot(person.first[0] - x, person.first[1] - y))


def largest_person(people: Sequence[np.ndarray]) -> int:
    """Which of several people's (K, 3) points span the largest box; 0 where none has a point."""
    return max(range(len(people)), key=lambda i: float(np.ptp(_box(people[i]), 0).prod()))


def _of_person(points: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(F, N, K, 3) and bool (F, N), one place a frame at most -> (F, K, 3), 0 where the person is at none."""
    frames, at = np.nonzero(places)
    own = np.zeros_like(points[:, 0])
    own[frames] = points[frames, at]
    return own


def _follow(points: np.ndarray) -> np.ndarray:
    """int (F, N): the number of the person at each place, in the order of appearance; -1 where nobody is."""
    from scipy.optimize import linear_sum_assignment  # a third of a second to import

    who = np.full(points.shape[:2], -1)
    last: list[np.ndarray] = []  # of each person, the points when they were last seen
    for frame, found in enumerate(points):
        places = np.flatnonzero((found[..., 2] > 0).any(1)).tolist()
        moves = np.array([[_move(seen, points[frame, place]) for place in places] for seen in last])
        moves = moves.reshape(len(last), len(places))
        for person, column in zip(*linear_sum_assignment(np.minimum(moves, REACH)), strict=True):
            if moves[person, column] < REACH:
                who[frame, places[column]] = person
        for place in places:
            if who[frame, place] < 0:
                who[frame, place] = len(last)
                last.append(points[frame, place])
            last[who[frame, place]] = points[frame, place]
    return who


def _move(before: np.ndarray, now: np.ndarray) -> float:
    """How far a person with points `before` would have moved and grown to have the points `now`."""
    shared = (before[:, 2] > 0) & (now[:, 2] > 0)
    if shared.sum() < 2:
        a, b = _box(before), _box(now)
    else:
        a, b = before[shared, :2], now[shared, :2]
    size_a, size_b = (max(float(np.linalg.norm(np.ptp(each, 0))), 1e-6) for each in (a, b))
    way = np.median(b - a, axis=0)
    return float(np.linalg.norm(way)) / size_a + abs(np.log(size_b / size_a)) / 2


def _box(points: np.ndarray) -> np.ndarray:
    """[[left, top], [right, bottom]] of the points that are there, zeros where none is."""
    there = points[points[:, 2] > 0, :2]
    return np.stack([there.min(0), there.max(0)]) if len(there) else np.zeros((2, 2))
