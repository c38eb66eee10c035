"""Animates a pyramid figure: every tile plays over time.

The figure is drawn once. Each frame then redraws only the moving parts, so that an animation takes
seconds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vidjax.explain.pyramid import Pyramid
from vidjax.explain.pyramid_figure import arrange

# Pixels per inch; animations are made for screens.
DPI = 110


def play_pyramid(
    pyramid: Pyramid,
    frames: np.ndarray,
    title: str,
    tube: np.ndarray | None = None,
    **options: Any,
) -> np.ndarray:
    """Returns the frames of an animated pyramid, uint8 `[T, H, W, 3]`.

    Args:
      pyramid: as in `pyramid_figure.draw_pyramid`.
      frames: as in `pyramid_figure.draw_pyramid`.
      title: as in `pyramid_figure.draw_pyramid`.
      tube: as in `pyramid_figure.draw_pyramid`.
      **options: options of `pyramid_figure.arrange`.

    Raises:
      ValueError: a setting is not valid, or sizes do not fit.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    drawing = arrange(pyramid, frames, title, tube, moving=True, **options)
    drawing.figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(drawing.figure)
    moving = [*(tile.image for tile in drawing.tiles), drawing.clock]
    for artist in moving:
        artist.set_animated(True)
    canvas.draw()
    still = canvas.copy_from_bbox(drawing.figure.bbox)
    played = []
    for time in range(len(frames)):
        canvas.restore_region(still)
        drawing.clock.set_text(f"frame {time} of {len(frames)}")
        for tile in drawing.tiles:
            tile.image.set_data(tile.at(time))
        for artist in moving:
            drawing.figure.axes[0].draw_artist(artist)
        played.append(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    return np.stack(played)
