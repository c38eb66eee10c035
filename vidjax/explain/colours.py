"""Overlays heatmaps on pictures.

Inferno and turbo leave cold regions as they are: the hotter a region, the stronger its colour.
Inferno is perceptually uniform: equal steps of heat are equal steps of lightness, also in print and
for colour-blind readers (van der Walt and Smith 2015). Turbo tells more levels apart and is
brighter over dark videos. JET mixes heat and video half and half, as the published scripts of
Saliency Tubes do.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np

COLOURS = ("inferno", "turbo", "jet")
DEFAULT = "inferno"
# For differences of two classes: red is evidence for the first, blue for the second.
SIGNED = "RdBu_r"
# The hottest region still shows some of the video.
MOST = 0.85
# The darkest part of a perceptual colormap is not visible on a video.
_FAINTEST = 0.25


def heat(volume: np.ndarray, colours: str = "jet") -> np.ndarray:
    """Maps numbers `[...]` in [0, 1] to colours, uint8 `[..., 3]`.

    Args:
      volume: the numbers. Values outside of [0, 1] are clipped.
      colours: one of `COLOURS`, or another colormap of Matplotlib.
    """
    levels = (255 * np.clip(volume, 0, 1)).round().astype(np.uint8)
    return _table(colours)[levels]


def overlay(
    frames: np.ndarray, volume: np.ndarray, colours: str = DEFAULT, *, signed: bool = False
) -> np.ndarray:
    """Overlays a heatmap on pictures; returns uint8 of the pictures' shape.

    Args:
      frames: pictures, uint8 `[..., H, W, 3]`.
      volume: heatmap, `[..., H, W]` in [0, 1], or in [-1, 1] if `signed`.
      colours: one of `COLOURS`. `jet` is half heat and half video everywhere.
      signed: draw positive values in red and negative ones in blue; `colours` has no effect then.

    Raises:
      ValueError: the sizes differ.

    Examples:
      >>> import numpy as np
      >>> from vidjax.explain.colours import overlay
      >>> frames = np.full((2, 1, 2, 3), 200, np.uint8)  # [T, H, W, 3]
      >>> heat = np.array([[[0.0, 1.0]], [[0.0, 0.0]]])  # [T, H, W]: one hot place
      >>> overlay(frames, heat, "jet")[0, 0].tolist()
      [[100, 100, 164], [164, 100, 100]]
    """
    if frames.shape[:-1] != volume.shape:
        raise ValueError(
            f"frames {frames.shape[:-1]} and heatmap {volume.shape} must have the same size"
        )
    if signed:
        return _blend(frames, heat((volume + 1) / 2, SIGNED), MOST * np.abs(volume).clip(0, 1))
    if colours == "jet":
        return heat(volume) // 2 + frames // 2
    return _blend(frames, heat(shade(volume), colours), MOST * np.clip(volume, 0, 1))


def scale(colours: str, *, signed: bool, width: int = 160) -> np.ndarray:
    """Returns a colour bar over white, from cold to hot or from red to blue: `[1, width, 3]`."""
    levels = (np.linspace(1, -1, width) if signed else np.linspace(0, 1, width))[None]
    return overlay(np.full((1, width, 3), 255, np.uint8), levels, colours, signed=signed)


def shade(volume: np.ndarray) -> np.ndarray:
    """Rescales heat in [0, 1] to the part of a perceptual colormap that is visible on a video."""
    return _FAINTEST + (1 - _FAINTEST) * np.clip(volume, 0, 1)


def _blend(frames: np.ndarray, colours: np.ndarray, share: np.ndarray) -> np.ndarray:
    share = np.asarray(share, np.float32)[..., None]
    return (frames + share * (colours.astype(np.float32) - frames)).round().astype(np.uint8)


@functools.cache
def _table(colours: str) -> np.ndarray:
    """Returns the 256 colours of a colormap, uint8 `[256, 3]`."""
    if colours == "jet":
        # The published scripts use OpenCV's JET, which differs slightly from Matplotlib's.
        levels = np.arange(256, dtype=np.uint8)[None]
        return np.asarray(cv2.applyColorMap(levels, cv2.COLORMAP_JET))[0, :, ::-1]
    import matplotlib as mpl

    return mpl.colormaps[colours](np.arange(256), bytes=True)[:, :3]
