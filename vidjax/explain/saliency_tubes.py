"""Saliency Tubes: which regions in space and time speak for a class.

Stergiou et al., Saliency Tubes, ICIP 2019; thesis, section 7.4, eq. 7.1. The features that are
pooled for the classifier are weighted by the row of the class, brought to [0, 1] channel by
channel, squared and summed, and enlarged to the clip by cubic splines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from vidjax.explain.anatomy import channels_first, in_space_and_time
from vidjax.explain.back_step import normalize
from vidjax.explain.reading import Model, Reading, as_clip, choose_class, read

MODES = ("thesis", "cam")
Size = tuple[int, int, int]


@dataclass(frozen=True)
class SaliencyTube:
    """Where a network looks for a class.

    Attributes:
      class_index: the class.
      mode: as in `saliency_tube`.
      volume: float32 `[T, H, W]` of the clip, in [0, 1].
      low: the same before it was enlarged, for each of the features that are pooled.
      kept: channels that are part of it, bool, likewise.
    """

    class_index: int
    mode: str
    volume: np.ndarray
    low: tuple[np.ndarray, ...]
    kept: tuple[np.ndarray, ...]


def saliency_tube(
    model: Model,
    variables: Any,
    clip: Any,
    class_index: int | None = None,
    *,
    mode: str = "thesis",
    tau: float | None = None,
) -> SaliencyTube:
    """The tube of a clip.

    Channels are weighted by the gradient of the class's logit with respect to the features that
    the classifier gets sums of. Where it gets just their means, that is the class's row; where
    there are more layers between (X3D), it is what these make of it at this clip; features of
    several sizes (SlowFast) are enlarged one by one and added.

    Args:
      model: a Flax module over clips, or a function of `(variables, clip)`.
      variables: of the model.
      clip: `[T, H, W, 3]` or `[1, T, H, W, 3]`, normalised.
      class_index: which class; None is the predicted one.
      mode: `thesis`, or `cam`: the plain sum of weighted channels, as the published scripts have
        it. The thesis' form does not mind how large a weight is, and shows a channel of negative
        weight where it is least active, unless `tau` leaves it out.
      tau: channels whose largest weighted activation is below this share of the largest of all
        are left out; None keeps all.

    Raises:
      ValueError: there is no such class or mode, or nothing is pooled before the classifier.
    """
    check_mode(mode, tau)
    clip = as_clip(clip)
    reading = read(model, variables, clip)
    values = [own.value for own in reading.anatomy.pooled]
    if not values:
        raise ValueError(
            "a saliency tube needs a classifier over features that are pooled over space and time; "
            f"nothing is between {reading.anatomy.classifier.name!r} and the layers before it"
        )
    logits, *features = reading.run(variables, clip, [reading.anatomy.logits, *values])
    index = choose_class(logits, class_index)
    maps, weights = _weighted(reading, variables, clip, features, index)
    return tube_of(maps, weights, clip.shape[1:4], index, mode=mode, tau=tau)


def tube_of(
    maps: Sequence[np.ndarray],
    weights: Sequence[np.ndarray],
    size: Size,
    class_index: int,
    *,
    mode: str = "thesis",
    tau: float | None = None,
) -> SaliencyTube:
    """The tube of features, given their weights.

    Args:
      maps: features `[C, T', H', W']`, one array or several.
      weights: of the channels, `[C]` for each.
      size: T, H, W of the clip.
      class_index: what they are the weights of.
      mode: as in `saliency_tube`.
      tau: likewise.
    """
    pairs = zip(maps, weights, strict=True)
    weighted = [own * weight[:, None, None, None] for own, weight in pairs]
    peak = max(float(own.max()) for own in weighted)
    kept = tuple(
        np.ones(len(own), bool) if tau is None else own.max((1, 2, 3)) >= tau * peak
        for own in weighted
    )
    low = tuple(_sum(own[keep], mode) for own, keep in zip(weighted, kept, strict=True))
    volume = normalize(np.sum([enlarge(own, size) for own in low], axis=0))
    return SaliencyTube(class_index, mode, volume, low, kept)


def check_mode(mode: str, tau: float | None) -> None:
    """Refuses settings that mean nothing.

    Raises:
      ValueError: names the setting.
    """
    if mode not in MODES:
        raise ValueError(f"mode = {mode!r}: one of {', '.join(MODES)}")
    if tau is not None and not 0 <= tau <= 1:
        raise ValueError(f"tau = {tau!r}: a share in [0, 1], or None")


def enlarge(volume: np.ndarray, size: Size) -> np.ndarray:
    """Enlarges `[T', H', W']` to a size by cubic splines through its points (thesis, fig. 7.5)."""
    factors = [new / old for new, old in zip(size, volume.shape, strict=True)]
    return ndimage.zoom(np.asarray(volume, np.float32), factors, order=3)


def _sum(weighted: np.ndarray, mode: str) -> np.ndarray:
    if mode == "cam":
        return weighted.sum(axis=0)
    low = weighted.min((1, 2, 3), keepdims=True)
    spread = weighted.max((1, 2, 3), keepdims=True) - low
    # A channel without differences shows nothing.
    scaled = (weighted - low) / np.where(spread > 0, spread, 1)
    return (scaled**2).sum(axis=0)


def _weighted(
    reading: Reading, variables: Any, clip: Any, features: Sequence[np.ndarray], index: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The features with channels in front, and their weights."""
    pooled = reading.anatomy.pooled
    values = [own.value for own in pooled]
    gradients = reading.class_gradients(variables, clip, values, index)
    maps, weights = [], []
    for own, array, gradient in zip(pooled, features, gradients, strict=True):
        maps.append(in_space_and_time(channels_first(array, own.axes)))
        laid = channels_first(gradient, own.axes)
        weights.append(laid.reshape(len(laid), -1).sum(axis=1))
    return maps, weights
