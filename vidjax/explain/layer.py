"""A layer of a network, the kernels that feed it, and where its kernels are seen."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from vidjax.program import Operation, Value


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution or matrix product with weights.

    Attributes:
      name: path of its module, such as `layer4/block2/conv1`.
      operation: its operation in the program.
      data: the value that it convolves.
      kernel: its weights.
      data_axes: axes of `data` that hold the input channels.
      kernel_axes: axes of `kernel` that hold outputs, and axes that hold inputs.
      made_axes: axes of the result that hold the output channels.
      groups: number of groups of the convolution.
    """

    name: str
    operation: Operation
    data: Value
    kernel: Value
    data_axes: tuple[int, ...]
    kernel_axes: tuple[tuple[int, ...], tuple[int, ...]]
    made_axes: tuple[int, ...]
    groups: int = 1

    @property
    def inputs(self) -> int:
        """Number of input channels."""
        return math.prod(self.data.shape[axis] for axis in self.data_axes)

    @property
    def kernels(self) -> int:
        """Number of kernels, which are the output channels."""
        return math.prod(self.kernel.shape[axis] for axis in self.kernel_axes[0])

    def mean_kernel(self, kernel: Any) -> Any:
        """Returns the mean of each kernel over its window, `[kernels, inputs / groups]`."""
        outer, inner = self.kernel_axes
        rest = [axis for axis in range(kernel.ndim) if axis not in (*outer, *inner)]
        laid = kernel.transpose([*outer, *inner, *rest])
        return laid.reshape(self.kernels, self.inputs // self.groups, -1).mean(-1)

    def maps(self, data: Any) -> Any:
        """Returns the layer's input with its channels first, `[inputs, ...]`."""
        return channels_first(data, self.data_axes)


def channels_first(array: Any, axes: Sequence[int]) -> Any:
    """Returns an array with its channels first, `[channels, ...]`."""
    rest = [axis for axis in range(array.ndim) if axis not in axes]
    return array.transpose([*axes, *rest]).reshape(-1, *(array.shape[axis] for axis in rest))


def in_space_and_time(maps: Any) -> Any:
    """Reshapes maps `[C, ...]` to `[C, T, H, W]`; frames may be in the batch axis or missing."""
    extents = maps.shape[1:]
    if len(extents) > 3 and extents[0] == 1:
        extents = extents[1:]
    return maps.reshape(len(maps), *(1,) * (3 - len(extents)), *extents)


@dataclass(frozen=True)
class Link:
    """Which channels of a layer's input come from which kernels of an earlier layer.

    Attributes:
      layer: the earlier layer.
      pairs: int `[n, 2]`, an input channel and a kernel.
    """

    layer: Layer
    pairs: np.ndarray

    def kernels(self, channel: int) -> list[int]:
        """Returns the kernels that make a channel."""
        return self._by_channel.get(channel, [])

    @functools.cached_property
    def _by_channel(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for channel, kernel in self.pairs.tolist():
            found.setdefault(channel, []).append(kernel)
        return found


@dataclass(frozen=True)
class Grid:
    """Locations in space and time that lie along one axis, such as tokens.

    Attributes:
      axis: the axis of the value that holds them.
      shape: shape of the grid, such as `(t, h, w)`.
      order: for each location of the grid, its index along the axis. Other elements, such as a
        class token, have no location.
    """

    axis: int
    shape: tuple[int, ...]
    order: tuple[int, ...]


@dataclass(frozen=True)
class Features:
    """A value of the program that holds features.

    Attributes:
      value: the features; some axes are space and time.
      axes: axes of `value` that hold channels.
      grid: the locations, if they lie along one axis; None if there are axes of space and time.
    """

    value: Value
    axes: tuple[int, ...]
    grid: Grid | None = None

    def laid(self, array: Any) -> Any:
        """Rearranges the array of `value`, of NumPy or JAX, to `[C, T', H', W']`."""
        axes = self.axes
        if self.grid is not None:
            at, shape = self.grid.axis, self.grid.shape
            array = array.take(np.array(self.grid.order), axis=at)
            array = array.reshape(*array.shape[:at], *shape, *array.shape[at + 1 :])
            axes = tuple(axis + (len(shape) - 1) * (axis > at) for axis in axes)
        return in_space_and_time(channels_first(array, axes))

    @property
    def extents(self) -> tuple[int, ...]:
        """T', H', W'."""
        shape = jax.ShapeDtypeStruct(self.value.shape, np.float32)
        return tuple(jax.eval_shape(self.laid, shape).shape[1:])

    @property
    def cells(self) -> int:
        """Number of locations."""
        return math.prod(self.extents)


@dataclass(frozen=True)
class Source:
    """Where the kernels of a layer are seen in space and time, after norm and activation function.

    Attributes:
      features: the features that the next layer reads, or that are pooled.
      pairs: int `[n, 2]`, a channel and a kernel.
    """

    features: Features
    pairs: np.ndarray

    @property
    def value(self) -> Value:
        """The value of the program that holds the features."""
        return self.features.value

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes of the value that hold channels."""
        return self.features.axes

    def maps(self, array: Any, kernels: Sequence[int]) -> np.ndarray:
        """Returns the activations of kernels, `[kernels, T, H, W]`, given the array of `value`.

        A kernel that makes several channels is shown by their sum.
        """
        laid = self.features.laid(array)
        channels = (self.pairs[self.pairs[:, 1] == kernel, 0] for kernel in kernels)
        return np.stack([laid[own].sum(axis=0) for own in channels])
