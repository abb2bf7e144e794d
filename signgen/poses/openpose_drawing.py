"""FPDM's drawing of OpenPose-18 poses (methods of its second stage; the style is OpenPose's own, Cao et al. 2017).

It draws a disc for each point, and then an ellipse with opacity 0.6 for each limb.
"""

import aggdraw
import numpy as np

# FPDM trains on pose maps of 375x550 with discs and limbs 4 pixels from their middle to their edge. Its test pose maps
# have the same 4 pixels on 750x1101, half as thick for the model; here the proportion stays.
HALF_WIDTH = 4 / 550
OPACITY = round(0.6 * 255)

# OpenPose's eighteen hues with red and blue exchanged, as they are in FPDM's published pose maps.
COLOURS = [
    (0, 0, 255), (0, 85, 255), (0, 170, 255), (0, 255, 255), (0, 255, 170), (0, 255, 85), (0, 255, 0),
    (85, 255, 0), (170, 255, 0), (255, 255, 0), (255, 170, 0), (255, 85, 0), (255, 0, 0), (255, 0, 85),
    (255, 0, 170), (255, 0, 255), (170, 0, 255), (85, 0, 255),
]  # fmt: skip
LIMBS = [
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 0),
    (0, 14), (14, 16), (0, 15), (15, 17),
]  # fmt: skip
_ANGLES = np.linspace(0, 2 * np.pi, 40, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], 1)


def draw_openpose_18(position: np.ndarray, drawn: np.ndarray, height: int, width: int, half_width: float) -> np.ndarray:
    """Draw the `drawn` (18,) ones of the points `position` (18, 2): uint8 (height, width, 3).

    `half_width` is the discs' radius and half the limbs' thickness, in pixels.
    """
    canvas = aggdraw.Draw("RGB", (width, height), "black")
    for point in np.flatnonzero(drawn):
        x, y = position[point]
        box = (x - half_width, y - half_width, x + half_width, y + half_width)
        canvas.ellipse(box, None, aggdraw.Brush(COLOURS[point]))
    for (a, b), colour in zip(LIMBS, COLOURS, strict=False):
        if drawn[a] and drawn[b]:
            outline = _ellipse(position[a], position[b], half_width)
            canvas.polygon(outline.ravel().tolist(), None, aggdraw.Brush(colour, OPACITY))
    return np.frombuffer(canvas.tobytes(), np.uint8).reshape(height, width, 3).copy()


def _ellipse(start: np.ndarray, end: np.ndarray, half_width: float) -> np.ndarray:
    """(40, 2) points around the limb from `start` to `end`, its long axis."""
    half = (end - start) / 2
    length = np.hypot(*half)
    across = np.array([-half[1], half[0]]) * (half_width / length) if length else np.zeros(2)
    return (start + end) / 2 + _CIRCLE @ np.stack([half, across])
