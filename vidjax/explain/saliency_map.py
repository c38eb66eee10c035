"""Any map of any network: drawn, enlarged to the clip, with what it is of and what it cost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vidjax.explain import maps
from vidjax.explain.back_step import normalize
from vidjax.explain.compiled_passes import logits_pass
from vidjax.explain.input_checks import Class
from vidjax.explain.map_types import Progress
from vidjax.explain.open_network import each_clip, open_network
from vidjax.explain.traced_network import Model
from vidjax.explain.upsampling import CUBIC, Size, enlarge
from vidjax.settings import check
from vidjax.untrusted_names import nearest


@dataclass(frozen=True)
class SaliencyMap:
    """A map of a clip.

    Attributes:
      name: of the map, such as `grad_cam`.
      class_index: the class.
      layer: whose features it is drawn over; None for those that are pooled, or for the clip.
      volume: float32 `[T, H, W]` of the clip, in [0, 1].
      cells: what it was enlarged from, `[T', H', W']`, one volume for each group of features.
      logits: of the clip, float32 `[classes]`.
      passes: forward passes that it took; a gradient counts as two more.
      seconds: that it took, compiling included where that was needed.
      grid: as in `vidjax.explain.map_types.Heat`.
    """

    name: str
    class_index: int
    layer: str | None
    volume: np.ndarray = field(repr=False)
    cells: tuple[np.ndarray, ...] = field(repr=False)
    logits: np.ndarray = field(repr=False)
    passes: int
    seconds: float
    grid: tuple[int, int, int] | None = None

    @property
    def resolution(self) -> str:
        """The sizes of what it was enlarged from, such as `4x7x7 cells`."""
        shapes = [self.grid] if self.grid else [own.shape for own in self.cells]
        return f"{' and '.join('x'.join(map(str, own)) for own in shapes)} cells"


@each_clip
def saliency_map(
    model: Model,
    variables: Any,
    clip: Any,
    class_index: Class = None,
    name: str = "saliency_tube",
    layer: str | None = None,
    *,
    degree: int | None = CUBIC,
    progress: Progress | None = None,
    classes: Sequence[str] | None = None,
    output: str | int | None = None,
    clip_input: int = 0,
    **settings: Any,
) -> SaliencyMap:
    """Draws a map of what in a clip speaks for a class.

    Args:
      model: a module of `flax.linen` or `flax.nnx`, or a function of `(variables, clip)`.
      variables: of the model; None for a module of `flax.nnx`.
      clip: `[T, H, W, 3]` or `[1, T, H, W, 3]`, normalised; a tuple for a network of several
        inputs. A batch `[B, T, H, W, 3]`, or a list of clips, gives a list of results.
      class_index: which class, an integer of any kind or one of `classes`; None is the predicted
        one. Of a batch, one for all or one for each.
      name: of the map; `vidjax.explain.maps.known()` has all.
      layer: as in `vidjax.explain.layer_lookup.features_at`.
      degree: of the splines that enlarge it; None is the paper's, as in `enlarging.degree_of`.
      progress: called with the passes that are done and those that the map takes, where it takes
        many.
      classes: names of all classes.
      output: which of several outputs the logits are, as in
      `vidjax.explain.open_network.open_network`.
      clip_input: which of several inputs is explained, likewise.
      **settings: of the map; `vidjax.explain.maps.named(name).settings` has them.

    Raises:
      ValueError: names an argument that is not of its kind.
      UnknownPrimitiveError: a primitive of the network is not known.
    """
    chosen = maps.named(name)
    for setting in settings:
        if setting not in chosen.kinds:
            hint = nearest(setting, chosen.kinds)
            raise ValueError(f"{name} has no setting {setting!r}: {hint}")
    check(settings, chosen.kinds, f"{name} ")
    if layer is not None and not chosen.layered:
        raise ValueError(f"layer = {layer!r} has no effect on {name}, a map of the clip itself")
    opened = open_network(
        model,
        variables,
        clip,
        class_index,
        classes=classes,
        output=output,
        clip_input=clip_input,
    )
    network, given = opened.network, (opened.variables, opened.clip)
    if not chosen.fits(network):
        raise ValueError(f"{name} cannot be drawn of this network: it needs {chosen.needs}")
    logits = np.asarray(logits_pass(network)(*given))[0]
    index = opened.chosen(logits)
    begun = time.perf_counter()
    told = {"progress": progress} if progress and chosen.reports else {}
    heat = chosen.function(network, *given, index, layer, **settings, **told)
    volume = together(heat.cells, opened.size, degree)
    seconds = time.perf_counter() - begun
    return SaliencyMap(
        name, index, layer, volume, heat.cells, logits, heat.passes, seconds, heat.grid
    )


def together(cells: tuple[np.ndarray, ...], size: Size, degree: int | None = CUBIC) -> np.ndarray:
    """Volumes enlarged to a clip and added, float32 `[T, H, W]` in [0, 1]."""
    return normalize(np.sum([enlarge(own, size, degree) for own in cells], axis=0))
