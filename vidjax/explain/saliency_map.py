"""Draws any saliency map for any network and upsamples it to the clip."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vidjax.explain import maps
from vidjax.explain.back_step import normalize
from vidjax.explain.captioned_map import in_cells
from vidjax.explain.compiled_passes import logits_pass
from vidjax.explain.input_checks import Class
from vidjax.explain.map_types import Progress
from vidjax.explain.open_network import each_clip, open_network
from vidjax.explain.traced_network import Model
from vidjax.explain.upsampling import CUBIC, Size, upsample
from vidjax.settings import check
from vidjax.untrusted_names import nearest


@dataclass(frozen=True)
class SaliencyMap:
    """A saliency map of one clip for one class.

    Attributes:
      name: name of the method, such as `grad_cam`.
      class_index: the class that is explained.
      layer: name of the layer whose features the map was computed from. None stands for the
        features that are pooled for the classifier, or for the clip itself.
      volume: the map at the clip's size, float32 `[T, H, W]` in [0, 1].
      cells: the map before upsampling, `[T', H', W']`, one volume per group of features.
      logits: logits of the clip, float32 `[classes]`.
      passes: number of forward passes that the map took. A gradient counts as two more.
      seconds: wall time of the map. It includes compilation if the network had to be compiled.
      grid: as in `vidjax.explain.map_types.Heat`.
      zero: where 0 lies on the scale of `volume`. It matters for signed maps only; it is outside of
        [0, 1] if all values have the same sign.
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
    zero: float = 0.0

    @property
    def resolution(self) -> str:
        """The map's resolution before upsampling, such as `4x7x7 cells`."""
        return in_cells([self.grid] if self.grid else [own.shape for own in self.cells])

    @property
    def per_pixel(self) -> bool:
        """Whether each pixel has a value of its own."""
        return self.grid is None and any(own.shape == self.volume.shape for own in self.cells)

    @property
    def around_zero(self) -> np.ndarray:
        """The map with its signs, float32 `[T, H, W]` in [-1, 1]; 0 stays 0."""
        centred = self.volume - np.float32(self.zero)
        largest = np.abs(centred).max()
        return centred / largest if largest > 0 else centred


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
    """Draws a map of the evidence for a class in a clip.

    Args:
      model: a module of `flax.linen` or `flax.nnx`, or a function of `(variables, clip)`.
      variables: the model's variables; None for a module of `flax.nnx`.
      clip: a normalised clip, `[T, H, W, 3]` or `[1, T, H, W, 3]`. Pass a tuple to a network with
        several inputs. A batch `[B, T, H, W, 3]` or a list of clips returns a list of results.
      class_index: the class to explain, an integer of any kind or one of `classes`. None explains
        the predicted class. For a batch, give one class for all clips or one per clip.
      name: name of the method. `vidjax.explain.maps.known()` lists all methods.
      layer: the layer to explain, as in `vidjax.explain.layer_lookup.features_at`.
      degree: degree of the upsampling spline. None is the paper's choice, as in
        `upsampling.degree_of`.
      progress: called with the number of finished passes and the total, for methods that take many.
      classes: names of all classes.
      output: which output holds the logits, as in
        `vidjax.explain.open_network.open_network`.
      clip_input: which input is explained, as in
        `vidjax.explain.open_network.open_network`.
      **settings: settings of the method; see `vidjax.explain.maps.named(name).settings`.

    Raises:
      ValueError: an argument is not valid; the message names it.
      UnknownPrimitiveError: the network has a JAX primitive that vidjax cannot trace.

    Examples:
      >>> import jax, vidjax
      >>> model = lambda weights, clip: clip.mean((1, 2, 3)) @ weights
      >>> clip = jax.random.normal(jax.random.key(0), (2, 4, 4, 3))
      >>> vidjax.explain.saliency_map(model, jax.numpy.eye(3), clip, name="cam").volume.shape
      (2, 4, 4)
    """
    chosen = maps.named(name)
    _check_settings(chosen, layer, settings)
    opened = open_network(
        model, variables, clip, class_index, classes=classes, output=output, clip_input=clip_input
    )
    network, given = opened.network, (opened.variables, opened.clip)
    if not chosen.fits(network):
        raise ValueError(f"{name} cannot be drawn of this network: it needs {chosen.needs}")
    logits = np.asarray(logits_pass(network)(*given))[0]
    index = opened.chosen(logits)
    begun = time.perf_counter()
    told = {"progress": progress} if progress and chosen.reports else {}
    heat = chosen.function(network, *given, index, layer, **settings, **told)
    added = _add_upsampled(heat.cells, opened.size, degree)
    volume = normalize(added)
    seconds = time.perf_counter() - begun
    spread = float(added.max() - added.min())
    zero = -float(added.min()) / spread if spread > 0 else 0.0
    return SaliencyMap(
        name, index, layer, volume, heat.cells, logits, heat.passes, seconds, heat.grid, zero
    )


def _check_settings(chosen: maps.Map, layer: str | None, settings: dict[str, Any]) -> None:
    for setting in settings:
        if setting not in chosen.kinds:
            hint = nearest(setting, chosen.kinds)
            raise ValueError(f"{chosen.name} has no setting {setting!r}: {hint}")
    check(settings, chosen.kinds, f"{chosen.name} ")
    if layer is not None and not chosen.layered:
        raise ValueError(
            f"layer = {layer!r} has no effect on {chosen.name}, a map of the clip itself"
        )


def sum_upsampled(
    cells: tuple[np.ndarray, ...], size: Size, degree: int | None = CUBIC
) -> np.ndarray:
    """Upsamples volumes to a clip and adds them; returns float32 `[T, H, W]` in [0, 1]."""
    return normalize(_add_upsampled(cells, size, degree))


def _add_upsampled(cells: tuple[np.ndarray, ...], size: Size, degree: int | None) -> np.ndarray:
    added: np.ndarray = np.sum([upsample(own, size, degree) for own in cells], axis=0)
    return added
