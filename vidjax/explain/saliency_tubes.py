"""Saliency Tubes: the regions in space and time that are evidence for a class.

Source: Stergiou et al., Saliency Tubes, ICIP 2019; thesis, section 7.4, eq. 7.1. The features
before the classifier's pooling are multiplied by the weights of the class. Each channel is rescaled
to [0, 1] and squared. The channels are added, and the sum is upsampled to the clip by cubic
splines.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from vidjax.explain.back_step import normalize
from vidjax.explain.compiled_passes import gradients_pass
from vidjax.explain.input_checks import Class
from vidjax.explain.layer_lookup import features_at
from vidjax.explain.open_network import each_clip, open_network
from vidjax.explain.traced_network import Model
from vidjax.explain.upsampling import Size, upsample
from vidjax.settings import Kind, check, number, one_of, optional

MODES = ("thesis", "cam")
SETTINGS: Mapping[str, Kind] = {
    "mode": one_of(*MODES),
    "tau": optional(Kind("a share in [0, 1]", number(0, 1).accepts)),
}


@dataclass(frozen=True)
class SaliencyTube:
    """The Saliency Tube of one clip for one class.

    Attributes:
      class_index: the class that is explained.
      mode: as in `saliency_tube`.
      volume: the tube at the clip's size, float32 `[T, H, W]` in [0, 1].
      low: the tube before upsampling, one volume per group of pooled features.
      kept: which channels are part of the tube, bool `[C]`, one array per group of features.
      logits: logits of the clip, float32 `[classes]`; None if they are not known.
    """

    class_index: int
    mode: str
    volume: np.ndarray
    low: tuple[np.ndarray, ...]
    kept: tuple[np.ndarray, ...]
    logits: np.ndarray | None = None


@each_clip
def saliency_tube(
    model: Model,
    variables: Any,
    clip: Any,
    class_index: Class = None,
    *,
    mode: str = "thesis",
    tau: float | None = None,
    classes: Sequence[str] | None = None,
    output: str | int | None = None,
    clip_input: int = 0,
) -> SaliencyTube:
    """Computes the Saliency Tube of a clip.

    Channels are weighted by the gradient of the class's logit with respect to the features that are
    pooled for the classifier. If the classifier reads their means directly, that gradient is the
    class's row of weights. If more layers lie between (X3D), it is their local gradient at this
    clip. Features of several sizes (SlowFast) are upsampled one by one and added.

    Args:
      model: a module of `flax.linen` or `flax.nnx`, or a function of `(variables, clip)`.
      variables: the model's variables; None for a module of `flax.nnx`.
      clip: a normalised clip, `[T, H, W, 3]` or `[1, T, H, W, 3]`. Pass a tuple to a network with
        several inputs. A batch `[B, T, H, W, 3]` or a list of clips returns a list of results.
      class_index: the class to explain, an integer of any kind or one of `classes`. None explains
        the predicted class. For a batch, give one class for all clips or one per clip.
      mode: `thesis` for eq. 7.1, or `cam` for the plain sum of weighted channels, as in the
        published scripts. The thesis mode ignores the size of a weight. It shows a channel with a
        negative weight where the channel is least active, unless `tau` removes it.
      tau: share in [0, 1]. Removes channels whose largest weighted activation is below this share
        of the largest activation overall. None keeps all channels.
      classes: names of all classes.
      output: which output holds the logits, as in
        `vidjax.explain.open_network.open_network`.
      clip_input: which input is explained, as in
        `vidjax.explain.open_network.open_network`.


    Raises:
      ValueError: an argument is not valid (the message names it), or the network pools nothing
        before its classifier.

    Examples:
      >>> import jax, vidjax
      >>> model = lambda weights, clip: clip.mean((1, 2, 3)) @ weights
      >>> clip = jax.random.normal(jax.random.key(0), (2, 4, 4, 3))
      >>> vidjax.explain.saliency_tube(model, jax.numpy.eye(3), clip).volume.shape
      (2, 4, 4)
    """
    check_mode(mode, tau)
    opened = open_network(
        model, variables, clip, class_index, classes=classes, output=output, clip_input=clip_input
    )
    places = features_at(opened.network.graph)
    wanted = -1 if opened.class_index is None else opened.class_index
    measured = gradients_pass(opened.network, places)(opened.variables, opened.clip, wanted)
    logits, maps, gradients = jax.tree.map(np.asarray, measured)
    index = opened.chosen(logits)
    weights = [own.sum((1, 2, 3)) for own in gradients]
    tube = tube_of(maps, weights, opened.size, index, mode=mode, tau=tau)
    return dataclasses.replace(tube, logits=logits)


def tube_of(
    maps: Sequence[np.ndarray],
    weights: Sequence[np.ndarray],
    size: Size,
    class_index: int,
    *,
    mode: str = "thesis",
    tau: float | None = None,
) -> SaliencyTube:
    """Computes a tube from features and the weights of their channels.

    Args:
      maps: features `[C, T', H', W']`, one array per group.
      weights: weights of the channels, `[C]` per group.
      size: T, H, W of the clip.
      class_index: the class that the weights belong to.
      mode: as in `saliency_tube`.
      tau: as in `saliency_tube`.
    """
    pairs = zip(maps, weights, strict=True)
    low, kept = low_tubes([own * weight[:, None, None, None] for own, weight in pairs], mode, tau)
    volume = normalize(np.sum([upsample(own, size) for own in low], axis=0))
    return SaliencyTube(class_index, mode, volume, low, kept)


def low_tubes(
    weighted: Sequence[np.ndarray], mode: str, tau: float | None
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Returns the tube of each group before upsampling, and the channels that are part of it.

    Args:
      weighted: features `[C, T', H', W']`, each channel multiplied by its weight.
      mode: as in `saliency_tube`.
      tau: as in `saliency_tube`.
    """
    peak = max(float(own.max()) for own in weighted)
    kept = tuple(
        np.ones(len(own), bool) if tau is None else own.max((1, 2, 3)) >= tau * peak
        for own in weighted
    )
    low = tuple(_sum(own[keep], mode) for own, keep in zip(weighted, kept, strict=True))
    return low, kept


def check_mode(mode: str, tau: float | None) -> None:
    """Refuses a mode or a tau that is not valid.

    Raises:
      ValueError: names the setting.
    """
    check({"mode": mode, "tau": tau}, SETTINGS)


def _sum(weighted: np.ndarray, mode: str) -> np.ndarray:
    if mode == "cam":
        return weighted.sum(axis=0)
    low = weighted.min((1, 2, 3), keepdims=True)
    spread = weighted.max((1, 2, 3), keepdims=True) - low
    # A constant channel contributes nothing.
    scaled = (weighted - low) / np.where(spread > 0, spread, 1)
    return (scaled**2).sum(axis=0)
