from pathlib import Path

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.evaluation.pairing import find_poses, pair_clips
from signgen.poses import PoseSequence


def test_two_clips_pair_whatever_their_names(write_clip) -> None:
    pairing = pair_clips(write_clip("mine"), write_clip("theirs"))
    assert [(p.name, p.generated.name, p.reference.name) for p in pairing.pairs] == [("theirs", "mine", "theirs")]


def test_trees_pair_by_name_and_say_what_stays_alone(write_clip, tmp_path: Path) -> None:
    for name in ("g/x/a", "g/b", "g/odd", "r/x/a/1", "r/lonely", "r/alone"):
        write_clip(name)
    (tmp_path / "r" / "b.mp4").touch()
    (tmp_path / "r" / "notes.txt").touch()
    (tmp_path / "g" / "linked").symlink_to(write_clip("elsewhere"), target_is_directory=True)
    (tmp_path / "g" / "x" / "itself").symlink_to(tmp_path / "g", target_is_directory=True)
    pairing = pair_clips(tmp_path / "g", tmp_path / "r")
    assert [(p.name, p.reference.relative_to(tmp_path).as_posix()) for p in pairing.pairs] == [
        ("b", "r/b.mp4"),
        ("x/a", "r/x/a/1"),
    ]
    assert pairing.only_generated == ["linked", "odd"]
    assert pairing.only_reference == ["alone", "lonely"]


def test_nothing_to_pair_is_an_error(write_clip, tmp_path: Path) -> None:
    write_clip("g/a")
    write_clip("r/b")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="is called as one of"):
        pair_clips(tmp_path / "g", tmp_path / "r")
    with pytest.raises(UserError, match="no such file or folder"):
        pair_clips(tmp_path / "missing", tmp_path / "r")
    with pytest.raises(UserError, match="no videos and no folders of images"):
        pair_clips(tmp_path / "g", tmp_path / "empty")


def test_two_clips_of_one_name_are_an_error(write_clip, tmp_path: Path) -> None:
    write_clip("g/a")
    (tmp_path / "g" / "a.mp4").touch()
    with pytest.raises(UserError, match="both called a"):
        pair_clips(tmp_path / "g", tmp_path / "g")


def points(frames: int) -> np.ndarray:
    array = np.ones((frames, 133, 3), np.float32)
    array[..., 0] = np.arange(frames)[:, None]
    return array


def test_poses_of_one_clip_need_no_name(tmp_path: Path) -> None:
    for contents in ({"keypoints": points(3)}, {"some name": points(3)}):
        np.savez(tmp_path / "poses.npz", **contents)
        poses = find_poses(tmp_path / "poses.npz", "clip", size=(64, 48), fps=25, single=True)
        assert (len(poses), poses.size) == (3, (64, 48))


def test_poses_of_many_clips_go_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "poses.npz", a=points(3), b=points(4))
    assert len(find_poses(tmp_path / "poses.npz", "b", size=(64, 48), fps=25, single=False)) == 4
    with pytest.raises(UserError, match="no sequence called 'c'"):
        find_poses(tmp_path / "poses.npz", "c", size=(64, 48), fps=25, single=False)


def test_a_folder_holds_a_file_per_clip(tmp_path: Path) -> None:
    (tmp_path / "poses" / "x").mkdir(parents=True)
    np.savez(tmp_path / "poses" / "x" / "a.npz", keypoints=points(3), size=np.array([32, 24]))
    poses = find_poses(tmp_path / "poses", "x/a", size=(64, 48), fps=25, single=False)
    assert poses.keypoints[2, 0].tolist() == [4, 2, 1]  # from 32x24 to 64x48
    with pytest.raises(UserError, match="no pose file called x/b"):
        find_poses(tmp_path / "poses", "x/b", size=(64, 48), fps=25, single=False)
    np.save(tmp_path / "poses" / "x" / "a.npy", points(3))
    with pytest.raises(UserError, match="2 pose files called x/a"):
        find_poses(tmp_path / "poses", "x/a", size=(64, 48), fps=25, single=False)


def test_a_mapping_goes_by_name() -> None:
    poses = {"a": PoseSequence(points(3), (32, 24), 25.0, "coco-wholebody-133")}
    assert find_poses(poses, "a", size=(64, 48), fps=25, single=True).size == (64, 48)
    with pytest.raises(UserError, match="no poses are given for b"):
        find_poses(poses, "b", size=(64, 48), fps=25, single=True)
