"""A class feature pyramid: the kernels that were kept, by layer, and what each relies on."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from vidjax.explain.back_step import normalize
from vidjax.explain.upsampling import CUBIC, Size, enlarge
from vidjax.untrusted_names import nearest

Place = tuple[str, int]


@dataclass(frozen=True)
class Node:
    """A kernel that another relies on, or the class.

    Attributes:
      layer: name of its layer.
      kernel: its number.
      weight: how much the parent relies on it, in [0, 1].
      children: what it relies on itself, one level deeper.
    """

    layer: str
    kernel: int
    weight: float
    children: tuple[Node, ...] = ()


@dataclass(frozen=True)
class KeptLayer:
    """The kernels of a layer that were kept.

    Attributes:
      name: of the layer.
      level: 1 for what the classifier relies on, and deeper.
      kernels: their numbers, int `[n]`, ascending.
      weights: the largest that any parent gives them, `[n]`.
      counts: how many connections lead to them, int `[n]`.
      maps: their activations `[n, T', H', W']`, as the first layer that reads them gets them: after
        norm, activation function and whatever else is between; None for a layer after pooling,
        which is nowhere in space and time.
      groups: that the layer convolves its channels in, separately.
      total: kernels that the layer has; 0 where that is not known.
    """

    name: str
    level: int
    kernels: np.ndarray
    weights: np.ndarray
    counts: np.ndarray
    maps: np.ndarray | None = field(repr=False, default=None)
    groups: int = 1
    total: int = 0

    @property
    def group_of(self) -> np.ndarray:
        """The group of the convolution that each kept kernel is in, int `[n]`."""
        size = self.total // self.groups
        return self.kernels // size if size else np.zeros(len(self.kernels), int)


@dataclass(frozen=True)
class Pyramid:
    """The pyramid of a clip.

    Attributes:
      class_index: the class.
      mode: as in `class_feature_pyramid`.
      threshold: likewise.
      depth: number of levels.
      size: T, H, W of the clip.
      layers: kept kernels by layer, the last layers of the network first.
      edges: for each kernel of a layer, by layer and number, what it relies on and how much; the
        class itself is `("", class_index)`.
      sums: names of layers whose channels are added up one by one, such as those of the last
        convolution of a residual block and of its projection: their kernels of one number make one
        channel, with one weight.
      logits: of the clip, float32 `[classes]`, where they are known.
    """

    class_index: int
    mode: str
    threshold: float
    depth: int
    size: Size
    layers: tuple[KeptLayer, ...]
    edges: Mapping[Place, tuple[tuple[Place, float], ...]] = field(repr=False)
    sums: tuple[tuple[str, ...], ...] = ()
    logits: np.ndarray | None = field(repr=False, compare=False, default=None)

    @functools.cached_property
    def roots(self) -> tuple[Node, ...]:
        """The tree; children that several parents have are the same objects."""
        grown: dict[Place, tuple[Node, ...]] = {}

        def grow(place: Place) -> tuple[Node, ...]:
            if place not in grown:
                edges = self.edges.get(place, ())
                grown[place] = tuple(Node(*to, weight, grow(to)) for to, weight in edges)
            return grown[place]

        return grow(("", self.class_index))

    def layer(self, name: str) -> KeptLayer:
        """A layer by its name.

        Raises:
          ValueError: nothing was kept in a layer of that name.
        """
        for layer in self.layers:
            if layer.name == name:
                return layer
        known = nearest(name, [layer.name for layer in self.layers])
        raise ValueError(f"layer {name!r} is not in the pyramid: {known}")

    def one_sum(self, name: str) -> tuple[str, ...]:
        """Names of the layers that are added up with a layer, its own among them."""
        return next((names for names in self.sums if name in names), (name,))

    def tube(
        self,
        layer: str,
        kernel: int | None = None,
        *,
        group: int | None = None,
        size: Size | None = None,
        degree: int | None = CUBIC,
    ) -> np.ndarray:
        """Where a layer's kept kernels are active: `[T, H, W]` in [0, 1].

        A layer (the layer-wise format of CFP, section 6) is the sum of its kernels' activations,
        each as often as connections lead to it (section 3.3).

        Args:
          layer: its name.
          kernel: only this kernel (kernel-wise).
          group: only the kernels of this group of a grouped convolution (group-wise), such as one
            of ResNeXt's 32 (section 5.1).
          size: T, H, W of what is returned; None is that of the clip.
          degree: of the spline, as in `enlarging.enlarge`.

        Raises:
          ValueError: it is not in the pyramid, or nowhere in space and time.
        """
        own = self.layer(layer)
        chosen = np.ones(len(own.kernels), bool)
        if kernel is not None:
            chosen &= own.kernels == kernel
        if group is not None:
            chosen &= own.group_of == group
        if not chosen.any():
            what = f"group {group}" if kernel is None else f"kernel {kernel}"
            raise ValueError(f"{what} of {layer!r} was not kept: {_kept(own, kernel)}")
        total = np.tensordot(own.counts[chosen], self._maps(own)[chosen], 1)
        return normalize(enlarge(total, size or self.size, degree))

    def children_tube(
        self,
        layer: str,
        kernel: int,
        *,
        size: Size | None = None,
        degree: int | None = CUBIC,
    ) -> np.ndarray:
        """Where the kernels that a kernel relies on are active: `[T, H, W]` in [0, 1].

        This is the mean of their activations (CFP, section 3.3). The authors' code has the sum,
        which is the same once it is brought to [0, 1]. The class is `("", class_index)`.

        Raises:
          ValueError: it relies on no kernel, or on one that is nowhere in space and time.
        """
        edges = self.edges.get((layer, kernel), ())
        if not edges:
            raise ValueError(f"kernel {kernel} of {layer!r} relies on no kernel of this pyramid")
        # A spline of a sum is the sum of the splines: one for each size of cells.
        sums: dict[tuple[int, ...], np.ndarray] = {}
        for (name, number), _ in edges:
            own = self.layer(name)
            (place,) = np.nonzero(own.kernels == number)[0]
            cells = self._maps(own)[place].astype(np.float64)
            sums[cells.shape] = sums.get(cells.shape, 0) + cells
        shape = size or self.size
        total = np.sum([enlarge(cells, shape, degree) for cells in sums.values()], axis=0)
        return normalize(total / len(edges))

    def _maps(self, layer: KeptLayer) -> np.ndarray:
        if layer.maps is None:
            raise ValueError(
                f"no activations in space are known of layer {layer.name!r}: it comes after "
                "pooling, or the pyramid was read from JSON, which has none"
            )
        return layer.maps


def _kept(layer: KeptLayer, kernel: int | None) -> str:
    """The kept kernels, or their groups, that are nearest by number."""
    known = np.unique(layer.group_of) if kernel is None else layer.kernels
    near = known if kernel is None else known[np.argsort(abs(known - kernel), kind="stable")]
    more = f" and {len(near) - 10} more" if len(near) > 10 else ""
    return f"kept are {', '.join(map(str, sorted(near[:10].tolist())))}{more}"
