"""What a pose sequence is: skeletons, PoseSequence, file formats, drawing."""

from signgen.poses.drawing import MIN_SCORE, draw_pose, draw_poses
from signgen.poses.formats import read_poses
from signgen.poses.sequence import PoseSequence

__all__ = ["MIN_SCORE", "PoseSequence", "draw_pose", "draw_poses", "read_poses"]
