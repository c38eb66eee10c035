"""What stands in a clip where something of it is taken away."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from vidjax.settings import one_of

BLANK = one_of("grey", "still", "blurred")
# Standard deviation of the blur, as a share of the shorter side.
_BLUR = 0.1


def blank_of(clip: np.ndarray, kind: str) -> np.ndarray:
    """A blank clip for a clip.

    Args:
      clip: normalised, `[1, T, H, W, 3]`.
      kind: `grey` is zeros, the mean colour of what the network was trained on; `still` has the
        mean of all frames in each of them, so that nothing moves; `blurred` has each frame without
        detail.

    Returns:
      float32, of the clip's shape.
    """
    clip = np.asarray(clip, np.float32)
    if kind == "grey":
        return np.zeros_like(clip)
    if kind == "still":
        return np.broadcast_to(clip.mean(1, keepdims=True), clip.shape)
    deviation = _BLUR * min(clip.shape[2:4])
    return ndimage.gaussian_filter(clip, (0, 0, deviation, deviation, 0))
