"""The back-step: which input channels of a layer its kernels rely on for a class.

Source: Stergiou et al., Class Feature Pyramids, ICCVW 2019, sections 3.1 to 3.4; thesis, section
7.5. Kernels and activations are averaged over space and time and multiplied. The products are
rescaled to [0, 1], and those that reach a threshold are kept. (The papers' shifted sigmoid is above
zero everywhere. Its purpose is the threshold, which is also what the authors' code applies.)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vidjax.settings import Kind, boolean, check, number, one_of, optional, whole

RULES: Mapping[str, Kind] = {
    "class_level": one_of("product", "weights"),
    "divide": boolean(),
    "grouped": one_of("own", "inflate", "repeat"),
}
KEEP: Mapping[str, Kind] = {
    "threshold": number(0, 1),
    "top": Kind("at least 1, or None for all", optional(whole(1, 2**31 - 1)).accepts),
}


@dataclass(frozen=True)
class Rules:
    """Selects a variant where the paper, the authors' code and grouped networks differ.

    Attributes:
      class_level: `product` multiplies the classifier's row with the activations (CFP, section
        3.1). `weights` takes the bare row, rescaled to [0, 1] over the rows of all classes (code).
      divide: divide the products by their sum first (code). A negative sum reverses their order.
      grouped: how a grouped convolution is handled. With `own`, a kernel's products are rescaled to
        [0, 1] over the channels of its own group, and a group of one channel passes its value on
        with weight 1. With `inflate` (section 3.4, taken literally), a kernel has zeros for all
        other channels; these are the largest where its own products are negative. With `repeat`
        (code), each element of a kernel is repeated and meets activations of other channels.

    Raises:
      ValueError: a rule is unknown.
    """

    class_level: str = "product"
    divide: bool = False
    grouped: str = "own"

    def __post_init__(self) -> None:
        check(vars(self), RULES)

    def class_values(self, pooled: np.ndarray, weights: np.ndarray, class_index: int) -> np.ndarray:
        """Returns how much a class relies on each input of the classifier, `[channels]` in [0, 1].

        Args:
          pooled: means of the classifier's input, `[channels]`.
          weights: weights of the classifier, `[classes, channels]`.
          class_index: the class.
        """
        if self.class_level == "weights":
            return normalize(weights)[class_index]
        return normalize(weights[class_index] * pooled)

    def products(self, kernels: np.ndarray, pooled: np.ndarray, groups: int = 1) -> np.ndarray:
        """Multiplies mean kernels with mean activations, `[kernels, channels]` (CFP, eq. 3).

        Args:
          kernels: means over each kernel's window, `[kernels, channels / groups]`.
          pooled: means of the activations over space and time, `[channels]`.
          groups: number of groups of the convolution.
        """
        if groups == 1:
            return kernels * pooled
        if self.grouped == "repeat":
            return np.repeat(kernels, groups, axis=1) * pooled
        inflated = np.zeros((groups, len(kernels) // groups, groups, kernels.shape[1]), np.float32)
        own = np.arange(groups)
        inflated[own, :, own] = kernels.reshape(groups, -1, kernels.shape[1])
        return inflated.reshape(len(kernels), -1) * pooled

    def reachable_channels(
        self, numbers: Sequence[int], kernels: int, channels: int, groups: int
    ) -> Iterator[tuple[list[int], range]]:
        """Yields kernels by group, with the channels that they can rely on.

        Where kernels share a list, the kernels of each group share one: the mean of their products.
        Zeros for the kernels of other groups would scale all values of a group by one factor, which
        rescaling to [0, 1] removes again.

        Args:
          numbers: numbers of the kernels, ascending.
          kernels: number of kernels of the layer.
          channels: number of channels that the layer convolves.
          groups: number of groups of the convolution.
        """
        groups = groups if self.grouped == "own" else 1
        outputs, inputs = kernels // groups, channels // groups
        for group, members in itertools.groupby(numbers, lambda number: number // outputs):
            yield list(members), range(group * inputs, (group + 1) * inputs)

    def values(self, products: np.ndarray) -> np.ndarray:
        """Rescales the products of one kernel, or the mean products of several, to [0, 1]."""
        if self.grouped == "own" and len(products) == 1:
            return np.ones(1, np.float32)
        return normalize(products / products.sum() if self.divide else products)


DEFAULT = Rules()
PAPER = Rules(grouped="inflate")
CODE = Rules("weights", divide=True, grouped="repeat")


@dataclass(frozen=True)
class Keep:
    """Selects the channels to keep.

    Attributes:
      threshold: theta, the smallest value to keep, in [0, 1].
      top: the most channels to keep, the largest first; None keeps all.

    Raises:
      ValueError: a number is out of range.
    """

    threshold: float = 0.6
    top: int | None = None

    def __post_init__(self) -> None:
        check(vars(self), KEEP)

    def __call__(self, values: np.ndarray) -> dict[int, float]:
        """Returns the kept channels and their values, largest first; ties go to the lower number.

        Args:
          values: `[channels]` in [0, 1]. If all values are equal and below 1, no channel stands out
            and none is kept.
        """
        if values.min() == values.max() < 1:
            return {}
        order = np.argsort(-values, kind="stable")
        kept = order[values[order] >= self.threshold][: self.top]
        return {int(index): float(values[index]) for index in kept}


def normalize(values: np.ndarray) -> np.ndarray:
    """Rescales values to [0, 1] by their range (CFP, eq. 1); zeros if all are equal."""
    values = np.asarray(values, np.float32)
    spread = values.max() - values.min()
    return (values - values.min()) / spread if spread > 0 else np.zeros_like(values)
