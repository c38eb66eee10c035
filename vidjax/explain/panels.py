"""Draws frames of a video with heatmaps over them, for videos, animations and contact sheets."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vidjax.explain.captioned_map import CaptionedMap
from vidjax.explain.colours import overlay
from vidjax.explain.source_video import SourceVideo

# Frames with a shorter side are enlarged by a whole factor to be large enough to look at.
LEAST = 224
_LINE = (255, 255, 255)


class Panels:
    """Draws heatmaps over the frames of a video.

    Args:
      footage: the video.
      drawn: maps of the clip that was cut from it.
      colours: one of `vidjax.explain.colours.COLOURS`.
      widest: the largest width of a panel in pixels; wider panels are reduced.

    Attributes:
      size: height and width of the panels.
    """

    def __init__(
        self, footage: SourceVideo, drawn: Sequence[CaptionedMap], colours: str, widest: float
    ) -> None:
        scale = min(-(-LEAST // min(footage.size)), widest / footage.size[1])
        self._drawn, self._colours = drawn, colours
        self.size, self._inside = footage.sizes(scale), footage.inside(scale)
        self._surfaces = [footage.surface(own.volume, scale) for own in drawn]

    def at(self, frame: np.ndarray, place: float) -> list[np.ndarray]:
        """Returns a frame without a heatmap, then with each, uint8 `[H, W, 3]`.

        Args:
          frame: a frame of the video.
          place: position of the frame between those of the clip.
        """
        picture = _resized(frame, self.size)
        found = [picture]
        for own, surface in zip(self._drawn, self._surfaces, strict=True):
            over = overlay(picture, surface.at(place), self._colours, signed=own.signed)
            found.append(np.where(self._inside[..., None], over, picture))
        return [_framed(each, self._inside) for each in found]


def _resized(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if frame.shape[:2] == size:
        return frame
    method = cv2.INTER_AREA if size[0] < frame.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(frame, size[::-1], interpolation=method))


def _framed(picture: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Draws a thin rectangle around the network's crop, if it is smaller than the picture."""
    if inside.all() or not inside.any():
        return picture
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    drawn = picture.copy()
    corners = (int(columns[0]), int(rows[0])), (int(columns[-1]), int(rows[-1]))
    cv2.rectangle(drawn, *corners, _LINE, 1)
    return drawn
