"""Contact sheets: images with one row of frames per video."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vidjax.untrusted_names import short


def contact_sheet(
    videos: Sequence[np.ndarray], labels: Sequence[str], columns: int = 8
) -> np.ndarray:
    """Lays out evenly spaced frames, one row per video, under the video's label.

    Args:
      videos: videos uint8 `[T, H, W, 3]` of the same size.
      labels: one label per video.
      columns: number of frames per video.

    Returns:
      uint8 `[H', W', 3]`, RGB.
    """
    rows = [_row(video, label, columns) for video, label in zip(videos, labels, strict=True)]
    return np.concatenate(rows)


def _row(video: np.ndarray, label: str, columns: int) -> np.ndarray:
    chosen = np.linspace(0, len(video) - 1, columns).round().astype(int)
    strip = np.concatenate([np.pad(video[k], ((1, 1), (1, 1), (0, 0))) for k in chosen], axis=1)
    title = np.full((16, strip.shape[1], 3), 255, np.uint8)
    label = short(label, 100)
    cv2.putText(title, label, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (20, 20, 20), 1, cv2.LINE_AA)
    return np.concatenate([title, strip])
