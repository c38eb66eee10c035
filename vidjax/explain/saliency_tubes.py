"""Saliency Tubes: which regions in space and time speak for a class.

Stergiou et al., Saliency Tubes, ICIP 2019; thesis, section 7.4, eq. 7.1. The features that are
pooled for the classifier are weighted by the row of the class, brought to [0, 1] channel by
channel, squared and summed, and enlarged to the clip by cubic splines.
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
from vidjax.explain.upsampling import Size, enlarge
from vidjax.settings import Kind, check, number, one_of, optional

MODES = ("thesis", "cam")
SETTINGS: Mapping[str, Kind] = {
    "mode": one_of(*MODES),
    "tau": optional(Kind("a share in [0, 1]", number(0, 1).accepts)),
}


@dataclass(frozen=True)
class SaliencyTube:
    """Where a network looks for a class.

    Attributes:
      class_index: the class.
      mode: as in `saliency_tube`.
      volume: float32 `[T, H, W]` of the clip, in [0, 1].
      low: the same before it was enlarged, for each of the features that are pooled.
      kept: channels that are part of it, bool, likewise.
      logits: of the clip, float32 `[classes]`, where they are known.
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
    """The tube of a clip.

    Channels are weighted by the gradient of the class's logit with respect to the features that
    the classifier gets sums of. Where it gets just their means, that is the class's row; where
    there are more layers between (X3D), it is what these make of it at this clip; features of
    several sizes (SlowFast) are enlarged one by one and added.

    Args:
      model: a module of `flax.linen` or `flax.nnx`, or a function of `(variables, clip)`.
      variables: of the model; None for a module of `flax.nnx`.
      clip: `[T, H, W, 3]` or `[1, T, H, W, 3]`, normalised; a tuple for a network of several
        inputs. A batch `[B, T, H, W, 3]`, or a list of clips, gives a list of results.
      class_index: which class, an integer of any kind or one of `classes`; None is the predicted
        one. Of a batch, one for all or one for each.
      mode: `thesis`, or `cam`: the plain sum of weighted channels, as the published scripts have
        it. The thesis' form does not mind how large a weight is, and shows a channel of negative
        weight where it is least active, unless `tau` leaves it out.
      tau: channels whose largest weighted activation is below this share of the largest of all
        are left out; None keeps all.
      classes: names of all classes.
      output: which of several outputs the logits are, as in
      `vidjax.explain.open_network.open_network`.
      clip_input: which of several inputs is explained, likewise.

    Raises:
      ValueError: names an argument that is not of its kind; or nothing is pooled before the
        classifier.
    """
    check_mode(mode, tau)
    opened = open_network(
        model,
        variables,
        clip,
        class_index,
        classes=classes,
        output=output,
        clip_input=clip_input,
    )
    places = features_at(opened.network.anatomy)
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
    low, kept = low_tubes([own * weight[:, None, None, None] for own, weight in pairs], mode, tau)
    volume = normalize(np.sum([enlarge(own, size) for own in low], axis=0))
    return SaliencyTube(class_index, mode, volume, low, kept)


def low_tubes(
    weighted: Sequence[np.ndarray], mode: str, tau: float | None
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Tubes before they are enlarged, and the channels that are part of them, of each group.

    Args:
      weighted: features `[C, T', H', W']`, each channel by its weight.
      mode: as in `saliency_tube`.
      tau: likewise.
    """
    peak = max(float(own.max()) for own in weighted)
    kept = tuple(
        np.ones(len(own), bool) if tau is None else own.max((1, 2, 3)) >= tau * peak
        for own in weighted
    )
    low = tuple(_sum(own[keep], mode) for own, keep in zip(weighted, kept, strict=True))
    return low, kept


def check_mode(mode: str, tau: float | None) -> None:
    """Refuses settings that mean nothing.

    Raises:
      ValueError: names the setting.
    """
    check({"mode": mode, "tau": tau}, SETTINGS)


def _sum(weighted: np.ndarray, mode: str) -> np.ndarray:
    if mode == "cam":
        return weighted.sum(axis=0)
    low = weighted.min((1, 2, 3), keepdims=True)
    spread = weighted.max((1, 2, 3), keepdims=True) - low
    # A channel without differences shows nothing.
    scaled = (weighted - low) / np.where(spread > 0, spread, 1)
    return (scaled**2).sum(axis=0)
