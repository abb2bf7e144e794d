"""DeepFashion's poses: 18 OpenPose points an image, on a 256x256 square that pads the 176x256 image."""

import ast
import re
from functools import partial

import numpy as np

from signgen.errors import UserError
from signgen.poses.formats.raw import RawPoses, Sequences
from signgen.poses.skeletons import NAMES_18

# FPDM: x' = (x - 40) W / 176, y' = y H / 256, -1 = missing
PAD, SIZE = 40, (176, 256)
MANY = 30  # numbers in a row: ten joints in space
CSV_HEADER = "name:keypoints_y:keypoints_x"
_ROW = re.compile(r"(.+?): (\[[-0-9, ]*\]): (\[[-0-9, ]*\])")
"""Name, y and x, as the annotation files of PATN and FPDM have them."""


def read_deepfashion_text(text: str) -> Sequences:
    """18 rows of `x y`: one image's pose."""
    try:
        rows = [[float(value) for value in line.split()] for line in text.split("\n") if line.strip()]
    except ValueError as error:
        raise UserError(f"rows must be `x y`: {error}") from error
    longest = max(map(len, rows), default=0)
    if longest > MANY:
        raise UserError(
            f"rows of {longest} numbers, as in the .skels of Progressive Transformers: joints in space that "
            "belong to no image, so they cannot be shown; extract poses from the video instead"
        )
    if any(len(row) != 2 for row in rows):
        raise UserError("rows must be `x y`")
    return {"": partial(_pose, [row[0] for row in rows], [row[1] for row in rows])}


def read_deepfashion_csv(text: str) -> Sequences:
    """`name:keypoints_y:keypoints_x`: one pose per image, selected by its name."""
    poses = {}
    for number, line in enumerate(text.strip().split("\n")[1:], start=2):
        match = _ROW.fullmatch(line.strip())
        if match is None:
            raise UserError(f"line {number} is not `name: [y, ...]: [x, ...]`")
        poses[match[1]] = partial(_row_pose, match[2], match[3])
    if not poses:
        raise UserError("it names no images")
    return poses


def _row_pose(y: str, x: str) -> RawPoses:
    try:
        return _pose(ast.literal_eval(x), ast.literal_eval(y))
    except (ValueError, SyntaxError, RecursionError) as error:
        raise UserError("keypoints must be lists of numbers") from error


def _pose(x: list[float], y: list[float]) -> RawPoses:
    if len(x) != len(NAMES_18) or len(y) != len(NAMES_18):
        raise UserError(f"{len(x)} x and {len(y)} y, where 18 points are needed")
    try:
        position = np.array([x, y], np.float64).T
    except (OverflowError, ValueError, TypeError) as error:
        raise UserError("keypoints must be lists of numbers") from error
    score = (position >= 0).min(1)
    points = np.where(score[:, None], position - (PAD, 0), 0)
    return RawPoses.by_count("DeepFashion keypoints", np.c_[points, score][None], SIZE)
