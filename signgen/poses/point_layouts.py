"""How the point layouts of other tools map onto the 133 points of COCO-WholeBody, by name.

A point map sends a target name (of `NAMES_133`) to the names of the source points whose mean it is. Targets
without an entry, and targets whose sources are absent or missing, get score 0.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from signgen.errors import UserError
from signgen.poses.skeletons import BODY_NAMES, FEET_NAMES, NAMES_18, NAMES_133

PointMap = Mapping[str, Sequence[str]]


def convert_points(points: np.ndarray, names: Sequence[str], point_map: PointMap) -> np.ndarray:
    """(F, K, 3) points called `names` -> (F, 133, 3). A mean takes the lowest score of its points."""
    index = {name: i for i, name in enumerate(names)}
    converted = np.zeros((len(points), len(NAMES_133), 3), points.dtype)
    for target, name in enumerate(NAMES_133):
        sources = point_map.get(name, ())
        if sources and all(source in index for source in sources):
            chosen = points[:, [index[source] for source in sources]]
            converted[:, target] = chosen.mean(1)
            converted[:, target, 2] = chosen[..., 2].min(1)
    converted[converted[..., 2] <= 0] = 0
    return converted


def _indexed(prefix: str, count: int) -> list[str]:
    return [f"{prefix}_{i}" for i in range(count)]


_HANDS = {name: [name] for name in NAMES_133[91:]}

# COCO's 17 body points, and the 23 with feet, bear the names of the 133 already.
IDENTITY_133: PointMap = {name: [name] for name in NAMES_133}

# OpenPose BODY_25 (Cao et al. 2019); a face of 70 points (68 and the pupils) and hands of 21 may follow.
BODY_25 = (
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip right_hip "
    "right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear left_big_toe "
    "left_small_toe left_heel right_big_toe right_small_toe right_heel"
).split()
FACE_70 = _indexed("face", 70)
LEFT_HAND_NAMES, RIGHT_HAND_NAMES = NAMES_133[91:112], NAMES_133[112:133]
OPENPOSE_137 = BODY_25 + FACE_70 + LEFT_HAND_NAMES + RIGHT_HAND_NAMES

# OpenPose's single-network layout (Hidalgo et al. 2019): no neck of BODY_25, and the hands' wrists are the
# body's.
OPENPOSE_135 = [
    *BODY_NAMES, "upper_neck", "head_top", *FEET_NAMES, *LEFT_HAND_NAMES[1:], *RIGHT_HAND_NAMES[1:], *FACE_70
]  # fmt: skip
MAP_135: PointMap = {**IDENTITY_133, LEFT_HAND_NAMES[0]: ["left_wrist"], RIGHT_HAND_NAMES[0]: ["right_wrist"]}

# Halpe (Fang et al. 2022, "AlphaPose"): COCO's body with head, neck and hips' middle, then toes and heels pairwise.
HALPE_26 = [
    *BODY_NAMES, "head", "neck", "mid_hip", "left_big_toe", "right_big_toe", "left_small_toe", "right_small_toe",
    "left_heel", "right_heel",
]  # fmt: skip
HALPE_136 = HALPE_26 + FACE_70[:68] + LEFT_HAND_NAMES + RIGHT_HAND_NAMES

# DWPose's 134: a neck among the 133, after the body, or the body in OpenPose's order.
_AFTER_BODY_134 = FEET_NAMES + FACE_70[:68] + LEFT_HAND_NAMES + RIGHT_HAND_NAMES
DWPOSE_134 = NAMES_18 + _AFTER_BODY_134
COCO_NECK_134 = [*BODY_NAMES, "neck", *_AFTER_BODY_134]

# MediaPipe Holistic: 33 body landmarks, the face mesh's 468 (478 with irises), hands of 21.
MEDIAPIPE_BODY = (
    "NOSE LEFT_EYE_INNER LEFT_EYE LEFT_EYE_OUTER RIGHT_EYE_INNER RIGHT_EYE RIGHT_EYE_OUTER LEFT_EAR "
    "RIGHT_EAR MOUTH_LEFT MOUTH_RIGHT LEFT_SHOULDER RIGHT_SHOULDER LEFT_ELBOW RIGHT_ELBOW LEFT_WRIST "
    "RIGHT_WRIST LEFT_PINKY RIGHT_PINKY LEFT_INDEX RIGHT_INDEX LEFT_THUMB RIGHT_THUMB LEFT_HIP RIGHT_HIP "
    "LEFT_KNEE RIGHT_KNEE LEFT_ANKLE RIGHT_ANKLE LEFT_HEEL RIGHT_HEEL LEFT_FOOT_INDEX RIGHT_FOOT_INDEX"
).split()
# Vertices of the face mesh that lie where the 68 points are defined: jaw, brows, nose, eyes, outer and
# inner lips.
MESH_OF_68 = [
    *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),
    *(168, 197, 5, 4, 75, 97, 2, 326, 305),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),
    *(78, 82, 13, 312, 308, 317, 14, 87),
]
MAP_MEDIAPIPE: PointMap = {
    **{name: [name.upper()] for name in BODY_NAMES},
    **{f"{side}_big_toe": [f"{side.upper()}_FOOT_INDEX"] for side in ("left", "right")},
    **{f"{side}_heel": [f"{side.upper()}_HEEL"] for side in ("left", "right")},
    **{f"face_{i}": [f"mesh_{vertex}"] for i, vertex in enumerate(MESH_OF_68)},
    **_HANDS,
}


def _holistic(vertices: int) -> list[str]:
    return MEDIAPIPE_BODY + _indexed("mesh", vertices) + LEFT_HAND_NAMES + RIGHT_HAND_NAMES


# Arrays say nothing of their layout but the number of points, which tells these apart.
LAYOUT_OF_COUNT: dict[int, tuple[str, Sequence[str], PointMap]] = {
    133: ("COCO-WholeBody", NAMES_133, IDENTITY_133),
    17: ("COCO body", BODY_NAMES, IDENTITY_133),
    23: ("COCO body and feet", BODY_NAMES + FEET_NAMES, IDENTITY_133),
    18: ("OpenPose COCO-18", NAMES_18, IDENTITY_133),
    25: ("OpenPose BODY_25", BODY_25, IDENTITY_133),
    26: ("Halpe 26", HALPE_26, IDENTITY_133),
    33: ("MediaPipe Pose", MEDIAPIPE_BODY, MAP_MEDIAPIPE),
    67: ("OpenPose BODY_25 and hands", BODY_25 + LEFT_HAND_NAMES + RIGHT_HAND_NAMES, IDENTITY_133),
    75: ("MediaPipe body and hands", MEDIAPIPE_BODY + LEFT_HAND_NAMES + RIGHT_HAND_NAMES, MAP_MEDIAPIPE),
    135: ("OpenPose 135", OPENPOSE_135, MAP_135),
    136: ("Halpe 136", HALPE_136, IDENTITY_133),
    137: ("OpenPose 137", OPENPOSE_137, IDENTITY_133),
    543: ("MediaPipe Holistic", _holistic(468), MAP_MEDIAPIPE),
    553: ("MediaPipe Holistic with irises", _holistic(478), MAP_MEDIAPIPE),
}


def neck_134(points: np.ndarray) -> tuple[str, np.ndarray, Sequence[str], PointMap]:
    """Layout, points, names and point map of (..., 134, 3) points of DWPose, whose neck shows in which order they are.

    It is the middle of the shoulders. UserError where none of the two orders has it there.
    """
    for layout, names in (("DWPose 134", DWPOSE_134), ("COCO-WholeBody and a neck", COCO_NECK_134)):
        neck, left, right = (points[..., names.index(name), :] for name in ("neck", "left_shoulder", "right_shoulder"))
        there = (np.stack([neck, left, right])[..., 2] > 0).all(0)
        off = np.abs(neck - (left + right) / 2)[there][:, :2]
        width = np.abs(left - right)[there][:, :2].max(initial=0)
        if not len(off) or np.median(off) <= 0.02 * width:
            return layout, points, names, IDENTITY_133
    raise UserError("134 points a frame, but no neck between the shoulders where DWPose has it, at 1 or 17")
