"""What a pose sequence is: skeletons, PoseSequence, file formats, drawing, smoothing, alignment."""

from signgen.poses.alignment import align
from signgen.poses.conversion import convert
from signgen.poses.drawing import MIN_SCORE, draw_pose, draw_poses
from signgen.poses.drawn import DrawnPoses, read_drawn_poses
from signgen.poses.formats import read_poses
from signgen.poses.sequence import PoseSequence
from signgen.poses.smoothing import fill_gaps, one_euro, savitzky_golay
from signgen.poses.writers import write_poses

__all__ = [
    "MIN_SCORE",
    "DrawnPoses",
    "PoseSequence",
    "align",
    "convert",
    "draw_pose",
    "draw_poses",
    "fill_gaps",
    "one_euro",
    "read_drawn_poses",
    "read_poses",
    "savitzky_golay",
    "write_poses",
]
