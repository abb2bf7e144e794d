"""Several people in a clip."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signgen.errors import InputWarning, UserError
from signgen.poses import PoseSequence, read_poses
from signgen.poses.people import choose, people

FRAMES = 12


def clip(seed: int, count: int) -> np.ndarray:
    """(FRAMES, count, 25, 3) of people side by side who move and breathe; person 1 is the largest by a little."""
    rng = np.random.default_rng(seed)
    shape = rng.uniform(-40, 40, (25, 2)) * (1, 2)
    walk = np.cumsum(rng.normal(0, 3, (FRAMES, count, 1, 2)), 0)
    breath = 1 + 0.04 * rng.uniform(-1, 1, (FRAMES, count, 1, 1))
    size = np.where(np.arange(count) == 1, 1.1, 1.0)[:, None, None]
    at = np.stack([150 + 220 * np.arange(count), np.full(count, 200)], 1)[:, None]
    positions = shape * size * breath + at + walk + rng.normal(0, 1, (FRAMES, count, 25, 2))
    return np.concatenate([positions, np.full((FRAMES, count, 25, 1), 0.8)], -1)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.data())
def test_each_is_followed_whatever_the_order_in_a_frame(seed: int, count: int, data: st.DataObject) -> None:
    truth = clip(seed, count)
    lost = data.draw(st.sets(st.integers(1, FRAMES - 1), max_size=4))  # in these frames, one is not found
    for frame in lost:
        truth[frame, frame % count] = 0
    shuffled = truth.copy()
    for frame in range(1, FRAMES):
        shuffled[frame] = truth[frame, data.draw(st.permutations(range(count)))]
    found = people(shuffled)
    assert [person.points.tolist() for person in found] == truth.swapaxes(0, 1).tolist()
    assert sum(person.frames for person in found) == FRAMES * count - len(lost)


def test_a_person_is_chosen_in_many_ways() -> None:
    found = people(clip(0, 3)[:, [2, 0, 1]])  # in the file the right one comes first
    assert [choose(found, str(number)) for number in range(3)] == found
    assert choose(found, "left") is choose(found, "150,200") is found[1]
    assert choose(found, "right") is choose(found, "590.5,210") is found[0]
    assert choose(found, "largest") is found[2]
    with pytest.warns(InputWarning, match=r"3 people \(0 at x \d+, 1 at x \d+, 2 at x \d+\): the largest, 2, is foll"):
        assert choose(found, None) is found[2]
    with pytest.raises(UserError, match="there is no person 3: the 3 people are counted from 0"):
        choose(found, "3")
    with pytest.raises(UserError, match="--person middle: expected N, left, right, largest, or x,y"):
        choose(found, "middle")


def test_false_finds_are_nobody() -> None:
    points = np.zeros((40, 2, 25, 3))
    points[:, :1] = np.repeat(clip(1, 1), 4, 0)[:40]
    points[7, 1] = clip(1, 2)[0, 1] + (500, 0, 0)
    assert len(people(points)) == 1
    assert people(np.zeros((4, 2, 25, 3))) == []


def test_openpose_files_follow_one_person(tmp_path: Path) -> None:
    truth = clip(3, 2)
    for frame, both in enumerate(truth):
        order = both[::-1] if frame % 2 else both
        people = [{"pose_keypoints_2d": person.ravel().tolist()} for person in order]
        (tmp_path / f"v_{frame:012d}_keypoints.json").write_text(json.dumps({"people": people}))
    with pytest.warns(InputWarning, match="2 people"):
        largest = read_poses(tmp_path, size=(700, 400))
    assert np.allclose(largest.positions[:, 0], truth[:, 1, 0, :2])
    left = read_poses(tmp_path, size=(700, 400), person="left")
    assert np.allclose(left.positions[:, 0], truth[:, 0, 0, :2])


def test_one_person_needs_no_choice(tmp_path: Path, signer: PoseSequence) -> None:
    np.save(tmp_path / "a.npy", signer.keypoints)
    assert np.array_equal(read_poses(tmp_path / "a.npy", size=(210, 260), person="0").keypoints, signer.keypoints)
    with pytest.raises(UserError, match="there is no person 1"):
        read_poses(tmp_path / "a.npy", size=(210, 260), person="1")
