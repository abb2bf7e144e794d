"""High dynamic range to standard: what phones film as HLG or PQ in BT.2020, as images in BT.709.

Light is found by Recommendation ITU-R BT.2100, reference white put at 203 cd/m2 (Report BT.2408), highlights above half
of it rolled off (as Reinhard et al. 2002, the last slope kept), and colours outside BT.709 cut.
"""

from functools import cache

import numpy as np
from PIL import Image, ImageFilter

PQ, HLG = 16, 18  # FFmpeg's numbers of transfer characteristics
NAMES = {PQ: "PQ", HLG: "HLG"}
WHITE, PEAK = 203.0, 1000.0  # cd/m2
KNEE = 0.5
STEPS = 65  # of the table along each colour, the most that Pillow takes
LUMINANCE_2020 = np.array([0.2627, 0.6780, 0.0593])
TO_709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])


def to_sdr(image: np.ndarray, transfer: int) -> np.ndarray:
    """uint8 (H, W, 3) whose values are HLG's or PQ's, as uint8 (H, W, 3) for an ordinary display."""
    return np.asarray(Image.fromarray(image).filter(_table(transfer)))


@cache
def _table(transfer: int) -> ImageFilter.Color3DLUT:
    axis = np.linspace(0, 1, STEPS)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")  # Pillow wants red to change fastest
    values = _mapped(np.stack([red, green, blue], -1).reshape(-1, 3), transfer)
    return ImageFilter.Color3DLUT(STEPS, values.ravel().tolist())


def _mapped(signal: np.ndarray, transfer: int) -> np.ndarray:
    """(N, 3) values of a transfer in [0, 1] -> (N, 3) values of BT.1886 in [0, 1]."""
    light = (_hlg_light(signal) if transfer == HLG else _pq_light(signal)) / WHITE
    luminance = (light @ LUMINANCE_2020)[:, None]
    mapped = light * (_rolled_off(luminance) / np.maximum(luminance, 1e-9))
    return (mapped @ TO_709.T).clip(0, 1) ** (1 / 2.4)


def _hlg_light(signal: np.ndarray) -> np.ndarray:
    """cd/m2 of a display with a peak of 1000: the inverse OETF, then the OOTF with its gamma of 1.2."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return PEAK * scene * (scene @ LUMINANCE_2020)[:, None] ** 0.2


def _pq_light(signal: np.ndarray) -> np.ndarray:
    """cd/m2 (SMPTE ST 2084)."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = signal ** (1 / m2)
    return 10000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)


def _rolled_off(light: np.ndarray) -> np.ndarray:
    """Light in parts of white: as it is up to the knee, then up to 1 at the peak."""
    over, most = np.maximum(light - KNEE, 0) / (1 - KNEE), (PEAK / WHITE - KNEE) / (1 - KNEE)
    return np.minimum(light, KNEE) + (1 - KNEE) * over * (1 + over / most**2) / (1 + over)
