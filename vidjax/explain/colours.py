"""Colours for heat over pictures.

Inferno and turbo leave what is cold as it is: the hotter a place, the more of its colour. Inferno
is uniform to the eye: equal steps of heat are equal steps of lightness, in print and to the colour
blind too (van der Walt and Smith 2015). Turbo tells more levels apart, and is brighter over dark
videos. JET, half and half, is how the published scripts of Saliency Tubes render.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np

COLOURS = ("inferno", "turbo", "jet")
DEFAULT = "inferno"
# Of two classes: red speaks for the first, blue for the second.
SIGNED = "RdBu_r"
# The hottest place still shows some of the video.
MOST = 0.85
# The darkest tenths of a perceptual map are lost on a video.
_FAINTEST = 0.25


def heat(volume: np.ndarray, colours: str = "jet") -> np.ndarray:
    """Numbers `[...]` in [0, 1] as colours, uint8 `[..., 3]`.

    Args:
      volume: numbers; what lies outside of [0, 1] gets the end's colour.
      colours: one of `COLOURS`, or another colour map of Matplotlib.
    """
    levels = (255 * np.clip(volume, 0, 1)).round().astype(np.uint8)
    return _table(colours)[levels]


def overlay(
    frames: np.ndarray, volume: np.ndarray, colours: str = DEFAULT, *, signed: bool = False
) -> np.ndarray:
    """Heat over pictures, uint8 of the pictures' shape.

    Args:
      frames: uint8 `[..., H, W, 3]`.
      volume: `[..., H, W]` in [0, 1]; in [-1, 1] if `signed`.
      colours: one of `COLOURS`; `jet` is half heat and half video everywhere.
      signed: heat above 0 is red, below 0 blue, whatever the colours.

    Raises:
      ValueError: they differ in size.
    """
    if frames.shape[:-1] != volume.shape:
        raise ValueError(f"frames {frames.shape[:-1]} and heat {volume.shape} differ in size")
    if signed:
        return _blend(frames, heat((volume + 1) / 2, SIGNED), MOST * np.abs(volume).clip(0, 1))
    if colours == "jet":
        return heat(volume) // 2 + frames // 2
    return _blend(frames, heat(shade(volume), colours), MOST * np.clip(volume, 0, 1))


def scale(colours: str, *, signed: bool, width: int = 160) -> np.ndarray:
    """The colours from cold to hot, as they are over white: uint8 `[1, width, 3]`."""
    levels = np.linspace(-1 if signed else 0, 1, width)[None]
    return overlay(np.full((1, width, 3), 255, np.uint8), levels, colours, signed=signed)


def shade(volume: np.ndarray) -> np.ndarray:
    """Where on a perceptual colour map heat in [0, 1] lies: its darkest part is left out."""
    return _FAINTEST + (1 - _FAINTEST) * np.clip(volume, 0, 1)


def _blend(frames: np.ndarray, colours: np.ndarray, share: np.ndarray) -> np.ndarray:
    share = np.asarray(share, np.float32)[..., None]
    return (frames + share * (colours.astype(np.float32) - frames)).round().astype(np.uint8)


@functools.cache
def _table(colours: str) -> np.ndarray:
    """256 colours, uint8 `[256, 3]`."""
    if colours == "jet":
        # That of the published scripts, which is not quite Matplotlib's.
        levels = np.arange(256, dtype=np.uint8)[None]
        return np.asarray(cv2.applyColorMap(levels, cv2.COLORMAP_JET))[0, :, ::-1]
    import matplotlib as mpl

    return mpl.colormaps[colours](np.arange(256), bytes=True)[:, :3]
