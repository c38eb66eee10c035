"""A layer of a network, the kernels that feed it, and where kernels are seen in space and time."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidjax.program import Operation, Value


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution or matrix product with weights.

    Attributes:
      name: path of its module, such as `layer4/block2/conv1`.
      operation: of the program.
      data: what it convolves.
      kernel: its weights.
      data_axes: axes of `data` that hold its input channels.
      kernel_axes: axes of `kernel` that hold outputs, and those that hold inputs.
      made_axes: axes of the result that hold its output channels.
      groups: parts that channels are convolved in, separately.
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
        """Number of kernels: output channels."""
        return math.prod(self.kernel.shape[axis] for axis in self.kernel_axes[0])

    def mean_kernel(self, kernel: Any) -> Any:
        """Means of the kernels over their window, `[kernels, inputs / groups]`."""
        outer, inner = self.kernel_axes
        rest = [axis for axis in range(kernel.ndim) if axis not in (*outer, *inner)]
        laid = kernel.transpose([*outer, *inner, *rest])
        return laid.reshape(self.kernels, self.inputs // self.groups, -1).mean(-1)

    def maps(self, data: Any) -> Any:
        """What it convolves with its channels in front, `[inputs, ...]`."""
        return channels_first(data, self.data_axes)


def channels_first(array: Any, axes: Sequence[int]) -> Any:
    """An array with channels in front, `[channels, ...]`."""
    rest = [axis for axis in range(array.ndim) if axis not in axes]
    return array.transpose([*axes, *rest]).reshape(-1, *(array.shape[axis] for axis in rest))


def in_space_and_time(maps: Any) -> Any:
    """Maps `[C, ...]` as `[C, T, H, W]`: frames may be in the batch, or there are none."""
    extents = maps.shape[1:]
    if len(extents) > 3 and extents[0] == 1:
        extents = extents[1:]
    return maps.reshape(len(maps), *(1,) * (3 - len(extents)), *extents)


@dataclass(frozen=True)
class Link:
    """Which channels of a layer's input are made by which kernels of a layer before.

    Attributes:
      layer: the layer before.
      pairs: int `[n, 2]`, an input channel and a kernel.
    """

    layer: Layer
    pairs: np.ndarray

    def kernels(self, channel: int) -> list[int]:
        """Kernels that make a channel."""
        return self._by_channel.get(channel, [])

    @functools.cached_property
    def _by_channel(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for channel, kernel in self.pairs.tolist():
            found.setdefault(channel, []).append(kernel)
        return found


@dataclass(frozen=True)
class Source:
    """Where the kernels of a layer are seen in space and time: norms and activations included.

    Attributes:
      value: what the next layer convolves, or what is pooled.
      axes: of `value`, that hold channels.
      pairs: int `[n, 2]`, a channel and a kernel.
    """

    value: Value
    axes: tuple[int, ...]
    pairs: np.ndarray

    def maps(self, array: Any, kernels: Sequence[int]) -> np.ndarray:
        """Activations of kernels, `[kernels, T, H, W]`, given the array of `value`.

        A kernel that makes several channels is seen by the sum of them.
        """
        laid = in_space_and_time(channels_first(array, self.axes))
        channels = (self.pairs[self.pairs[:, 1] == kernel, 0] for kernel in kernels)
        return np.stack([laid[own].sum(axis=0) for own in channels])


@dataclass(frozen=True)
class Features:
    """A value of the program that holds features.

    Attributes:
      value: the features, some axes of which are those of space and time.
      axes: of `value`, that hold channels.
    """

    value: Value
    axes: tuple[int, ...]
