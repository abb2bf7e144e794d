"""What a pose sequence is: skeletons, PoseSequence, file formats, drawing, smoothing, alignment."""

from signgen.poses.alignment import align
from signgen.poses.drawing import MIN_SCORE, draw_pose, draw_poses
from signgen.poses.formats.detect import read_poses
from signgen.poses.formats.pose_maps import PoseMaps, read_pose_maps
from signgen.poses.formats.writers import write_poses
from signgen.poses.sequence import PoseSequence
from signgen.poses.skeleton_conversion import convert
from signgen.poses.smoothing import fill_gaps, one_euro, savitzky_golay

__all__ = [
    "MIN_SCORE",
    "PoseMaps",
    "PoseSequence",
    "align",
    "convert",
    "draw_pose",
    "draw_poses",
    "fill_gaps",
    "one_euro",
    "read_pose_maps",
    "read_poses",
    "savitzky_golay",
    "write_poses",
]
