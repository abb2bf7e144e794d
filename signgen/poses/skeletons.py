"""The two skeletons signgen works in: names, index constants, limbs and left/right permutations.

`coco-wholebody-133` (Jin et al. 2020, "Whole-Body Human Pose Estimation in the Wild"): 17 body, 6 feet, 68
face, 21 left hand, 21 right hand points. `openpose-18` (Cao et al. 2017): the COCO body with a neck.
Left and right are the signer's own.
"""

from dataclasses import dataclass

import numpy as np

COCO_WHOLEBODY = "coco-wholebody-133"
OPENPOSE_18 = "openpose-18"
POINT_COUNT = {COCO_WHOLEBODY: 133, OPENPOSE_18: 18}

# coco-wholebody-133
NOSE = 0
LEFT_SHOULDER, RIGHT_SHOULDER = 5, 6
LEFT_ELBOW, RIGHT_ELBOW = 7, 8
LEFT_WRIST, RIGHT_WRIST = 9, 10
LEFT_HIP, RIGHT_HIP = 11, 12
BODY = slice(0, 17)
FEET = slice(17, 23)
FACE = slice(23, 91)
LEFT_HAND = slice(91, 112)
RIGHT_HAND = slice(112, 133)
LEFT_MIDDLE_MCP, RIGHT_MIDDLE_MCP = 100, 121

# Points that drawing derives as the middle of two others; they follow the 133 (or 18) real ones.
NECK = 133
MIDDLES_133 = ((LEFT_SHOULDER, RIGHT_SHOULDER),)

BODY_NAMES = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow "
    "left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
).split()
FEET_NAMES = "left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel".split()
HAND_NAMES = ["wrist"] + [
    f"{finger}_{joint}" for finger in ("thumb", "index", "middle", "ring", "little") for joint in range(1, 5)
]
NAMES_133 = (
    BODY_NAMES
    + FEET_NAMES
    + [f"face_{i}" for i in range(68)]
    + [f"left_hand_{name}" for name in HAND_NAMES]
    + [f"right_hand_{name}" for name in HAND_NAMES]
)
NAMES_18 = (
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip "
    "right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear"
).split()

# Mirror of the 68 face points: jaw, brows, nose bridge, nostrils, eyes, outer lips, inner lips.
_FACE_FLIP = (
    list(range(16, -1, -1))
    + list(range(26, 16, -1))
    + [27, 28, 29, 30]
    + [35, 34, 33, 32, 31]
    + [45, 44, 43, 42, 47, 46]
    + [39, 38, 37, 36, 41, 40]
    + [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55]
    + [64, 63, 62, 61, 60, 67, 66, 65]
)


def _flip_by_name(names: list[str]) -> list[int]:
    """For each point, the index of the same point on the other side."""
    swap = {"left": "right", "right": "left"}
    index = {name: i for i, name in enumerate(names)}
    return [index["_".join(swap.get(word, word) for word in name.split("_"))] for name in names]


FLIP_18 = np.array(_flip_by_name(NAMES_18))
FLIP_133 = np.array(_flip_by_name(NAMES_133))
FLIP_133[FACE] = FACE.start + np.array(_FACE_FLIP)
FLIP = {COCO_WHOLEBODY: FLIP_133, OPENPOSE_18: FLIP_18}


@dataclass(frozen=True)
class Chain:
    """Points joined by one line of one colour; `width` is in pixels of an image 260 pixels high."""

    points: tuple[int, ...]
    colour: tuple[int, int, int]
    width: float
    closed: bool = False


def _finger_chains(wrist: int, colours: list[tuple[int, int, int]]) -> list[Chain]:
    roots = range(wrist + 1, wrist + 21, 4)
    return [Chain((wrist, *range(r, r + 4)), colour, 1.4) for r, colour in zip(roots, colours, strict=True)]


def _face_chains(start: int) -> list[Chain]:
    jaw, brow, nose, eye, lips, mouth = (
        (90, 90, 110), (150, 120, 60), (110, 110, 110), (90, 160, 170), (190, 80, 110), (230, 150, 170)
    )  # fmt: skip
    spans = [
        (0, 17, jaw, False), (17, 22, brow, False), (22, 27, brow, False), (27, 31, nose, False),
        (31, 36, nose, False), (36, 42, eye, True), (42, 48, eye, True), (48, 60, lips, True),
        (60, 68, mouth, True),
    ]  # fmt: skip
    return [Chain(tuple(range(start + a, start + b)), colour, 0.8, closed) for a, b, colour, closed in spans]


_BODY_CHAINS = [
    Chain((NECK, RIGHT_HIP), (0, 110, 60), 3.0),
    Chain((NECK, LEFT_HIP), (0, 60, 120), 3.0),
    Chain((RIGHT_HIP, 14), (0, 170, 80), 3.0),
    Chain((14, 16), (0, 210, 100), 3.0),
    Chain((LEFT_HIP, 13), (0, 90, 190), 3.0),
    Chain((13, 15), (0, 120, 230), 3.0),
    Chain((16, 20), (0, 240, 150), 2.0),
    Chain((16, 22), (0, 240, 150), 2.0),
    Chain((15, 17), (60, 150, 255), 2.0),
    Chain((15, 19), (60, 150, 255), 2.0),
    Chain((NECK, NOSE), (100, 0, 140), 2.0),
    Chain((4, 2, NOSE), (170, 60, 0), 1.0),
    Chain((3, 1, NOSE), (170, 0, 60), 1.0),
    Chain((NECK, RIGHT_SHOULDER), (160, 50, 0), 3.0),
    Chain((NECK, LEFT_SHOULDER), (130, 130, 0), 3.0),
    Chain((RIGHT_SHOULDER, RIGHT_ELBOW), (220, 90, 0), 3.0),
    Chain((LEFT_SHOULDER, LEFT_ELBOW), (110, 190, 0), 3.0),
    Chain((RIGHT_ELBOW, RIGHT_WRIST), (255, 150, 60), 3.0),
    Chain((LEFT_ELBOW, LEFT_WRIST), (170, 240, 60), 3.0),
]
# Ten hues around the circle, even ones saturated for the left hand, odd ones pale for the right: fingers of
# a hand lie 72 degrees apart, and the same finger of the other hand differs in hue and in saturation.
_LEFT_FINGERS = [(255, 0, 0), (204, 255, 0), (0, 255, 102), (0, 102, 255), (204, 0, 255)]
_RIGHT_FINGERS = [(255, 205, 130), (155, 255, 130), (130, 255, 255), (155, 130, 255), (255, 130, 205)]

# In drawing order: the mouth over the line from neck to nose, the hands over everything.
CHAINS_133 = (
    _BODY_CHAINS
    + _face_chains(FACE.start)
    + _finger_chains(LEFT_HAND.start, _LEFT_FINGERS)
    + _finger_chains(RIGHT_HAND.start, _RIGHT_FINGERS)
)

# Parts for reports.
PARTS: dict[str, dict[str, slice]] = {
    COCO_WHOLEBODY: {
        "body": BODY,
        "feet": FEET,
        "face": FACE,
        "left hand": LEFT_HAND,
        "right hand": RIGHT_HAND,
    },
    OPENPOSE_18: {"body": slice(0, 18)},
}
