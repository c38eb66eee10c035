"""The result of a Class Feature Pyramid: the kept kernels of each layer and what each relies on."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from vidjax.explain.back_step import normalize
from vidjax.explain.upsampling import CUBIC, Size, upsample
from vidjax.untrusted_names import nearest

Place = tuple[str, int]


@dataclass(frozen=True)
class Node:
    """A kernel in the tree of a pyramid.

    Attributes:
      layer: name of the kernel's layer.
      kernel: number of the kernel.
      weight: how much the parent relies on it, in [0, 1].
      children: the kernels that it relies on, one level deeper.
    """

    layer: str
    kernel: int
    weight: float
    children: tuple[Node, ...] = ()


@dataclass(frozen=True)
class KeptLayer:
    """The kernels of one layer that were kept.

    Attributes:
      name: name of the layer.
      level: 1 for the layers that the classifier relies on, larger for deeper ones.
      kernels: numbers of the kept kernels, int `[n]`, ascending.
      weights: the largest weight that a parent gives each kernel, `[n]`.
      counts: number of connections that lead to each kernel, int `[n]`.
      maps: activations of the kernels `[n, T', H', W']`, as the next layer reads them: after norm,
        activation function and anything else in between. None for a layer after pooling, which has
        no location in space and time.
      groups: number of groups of the convolution.
      total: number of kernels of the layer; 0 if it is not known.
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
        """The convolution group of each kept kernel, int `[n]`."""
        size = self.total // self.groups
        return self.kernels // size if size else np.zeros(len(self.kernels), int)


@dataclass(frozen=True)
class Pyramid:
    """The Class Feature Pyramid of a clip.

    Attributes:
      class_index: the class that is explained.
      mode: as in `class_feature_pyramid`.
      threshold: as in `class_feature_pyramid`.
      depth: number of levels.
      size: T, H, W of the clip.
      layers: kept kernels by layer, the last layer of the network first.
      edges: the kernels that each kernel relies on, with weights. Keys are pairs of layer and
        kernel number; the class itself is `("", class_index)`.
      sums: groups of layers whose outputs are added channel by channel, such as the last
        convolution of a residual block and its projection. Their kernels of the same number make
        one channel and have one weight.
      logits: logits of the clip, float32 `[classes]`; None if they are not known.
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
        """The pyramid as a tree. Children that several parents share are the same objects."""
        grown: dict[Place, tuple[Node, ...]] = {}

        def grow(place: Place) -> tuple[Node, ...]:
            if place not in grown:
                edges = self.edges.get(place, ())
                grown[place] = tuple(Node(*to, weight, grow(to)) for to, weight in edges)
            return grown[place]

        return grow(("", self.class_index))

    def layer(self, name: str) -> KeptLayer:
        """Returns a layer by its name.

        Raises:
          ValueError: the pyramid keeps nothing of a layer with that name.
        """
        for layer in self.layers:
            if layer.name == name:
                return layer
        known = nearest(name, [layer.name for layer in self.layers])
        raise ValueError(f"layer {name!r} is not in the pyramid: {known}")

    def one_sum(self, name: str) -> tuple[str, ...]:
        """Returns the names of the layers that are added to a layer, its own name included."""
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
        """Returns where the kept kernels of a layer are active: `[T, H, W]` in [0, 1].

        By default it adds the activations of all kept kernels of the layer, each as often as
        connections lead to it (the layer-wise format of CFP, section 6; section 3.3).

        Args:
          layer: name of the layer.
          kernel: show only this kernel (kernel-wise format).
          group: show only the kernels of this group of a grouped convolution (group-wise format),
            such as one of ResNeXt's 32 groups (section 5.1).
          size: T, H, W of the result; None is the clip's size.
          degree: degree of the spline, as in `upsampling.upsample`.

        Raises:
          ValueError: the layer, kernel or group is not in the pyramid, or has no location in space
            and time.
        """
        own = self.layer(layer)
        chosen = np.ones(len(own.kernels), bool)
        if kernel is not None:
            chosen &= own.kernels == kernel
        if group is not None:
            chosen &= own.group_of == group
        if not chosen.any():
            what = f"group {group}" if kernel is None else f"kernel {kernel}"
            raise ValueError(f"the pyramid does not have {what} of {layer!r}: {_kept(own, kernel)}")
        total = np.tensordot(own.counts[chosen], self._maps(own)[chosen], 1)
        return normalize(upsample(total, size or self.size, degree))

    def children_tube(
        self,
        layer: str,
        kernel: int,
        *,
        size: Size | None = None,
        degree: int | None = CUBIC,
    ) -> np.ndarray:
        """Returns where the children of a kernel are active: `[T, H, W]` in [0, 1].

        It is the mean of the children's activations (CFP, section 3.3). The authors' code has the
        sum, which is equal after rescaling to [0, 1]. Pass `("", class_index)` for the class.

        Raises:
          ValueError: the kernel has no children, or one of them has no location in space and time.
        """
        edges = self.edges.get((layer, kernel), ())
        if not edges:
            raise ValueError(f"kernel {kernel} of {layer!r} relies on no kernel of this pyramid")
        # Splines are linear, so activations of equal size are added before they are upsampled.
        sums: dict[tuple[int, ...], np.ndarray] = {}
        for (name, number), _ in edges:
            own = self.layer(name)
            (place,) = np.nonzero(own.kernels == number)[0]
            cells = self._maps(own)[place].astype(np.float64)
            sums[cells.shape] = sums.get(cells.shape, 0) + cells
        shape = size or self.size
        total = np.sum([upsample(cells, shape, degree) for cells in sums.values()], axis=0)
        return normalize(total / len(edges))

    def _maps(self, layer: KeptLayer) -> np.ndarray:
        if layer.maps is None:
            raise ValueError(
                f"layer {layer.name!r} has no activations in space and time: it comes after "
                "pooling, or the pyramid was read from JSON, which does not store activations"
            )
        return layer.maps


def _kept(layer: KeptLayer, kernel: int | None) -> str:
    """Lists the kept kernels, or groups, that are nearest by number."""
    known = np.unique(layer.group_of) if kernel is None else layer.kernels
    near = known if kernel is None else known[np.argsort(abs(known - kernel), kind="stable")]
    more = f" and {len(near) - 10} more" if len(near) > 10 else ""
    return f"it has {', '.join(map(str, sorted(near[:10].tolist())))}{more}"
