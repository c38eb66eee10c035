"""Blank clips, which replace the parts of a clip that an explanation hides."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from vidjax.settings import one_of

BLANK = one_of("grey", "still", "blurred")
# Standard deviation of the blur, as a share of the shorter side.
_BLUR = 0.1


def blank_clip(clip: np.ndarray, kind: str) -> np.ndarray:
    """Returns the blank version of a clip.

    Args:
      clip: a normalised clip, `[1, T, H, W, 3]`.
      kind: `grey` is all zeros, the mean colour of the training data. `still` repeats the mean of
        all frames, so that nothing moves. `blurred` blurs each frame.

    Returns:
      float32 array of the clip's shape.
    """
    clip = np.asarray(clip, np.float32)
    if kind == "grey":
        return np.zeros_like(clip)
    if kind == "still":
        return np.broadcast_to(clip.mean(1, keepdims=True), clip.shape)
    deviation = _BLUR * min(clip.shape[2:4])
    return ndimage.gaussian_filter(clip, (0, 0, deviation, deviation, 0))
