"""The back-step: which channels of a layer's input its kernels rely on for a class.

Stergiou et al., Class Feature Pyramids, ICCVW 2019, sections 3.1 to 3.4; thesis, section 7.5.
Kernels and activations are averaged over space and time, multiplied, and brought to [0, 1]; what
reaches a threshold is kept. (The papers' shifted sigmoid exceeds zero everywhere; reaching the
threshold is what it is for, and what the authors' code does.)
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
    """Where the paper, the authors' code and what networks are wired like differ.

    Attributes:
      class_level: the `product` of classifier row and activations (CFP, section 3.1), or bare
        `weights`, brought to [0, 1] over those of all classes (code).
      divide: products are divided by their sum first, which turns their order round where it is
        negative (code).
      grouped: in a grouped convolution a kernel's products are brought to [0, 1] over the channels
        of its `own` group, and a group of one channel passes its number on with weight 1. With
        `inflate` (section 3.4 by the letter) a kernel gets zeros for all other channels, which are
        the largest where its own products are negative. With `repeat` (code) each of its elements
        is repeated, and meets activations of other channels.

    Raises:
      ValueError: a rule is unknown.
    """

    class_level: str = "product"
    divide: bool = False
    grouped: str = "own"

    def __post_init__(self) -> None:
        check(vars(self), RULES)

    def class_values(self, pooled: np.ndarray, weights: np.ndarray, class_index: int) -> np.ndarray:
        """How much a class relies on the classifier's inputs, `[channels]` in [0, 1].

        Args:
          pooled: means of the classifier's input, `[channels]`.
          weights: of the classifier, `[classes, channels]`.
          class_index: the class.
        """
        if self.class_level == "weights":
            return normalize(weights)[class_index]
        return normalize(weights[class_index] * pooled)

    def products(self, kernels: np.ndarray, pooled: np.ndarray, groups: int = 1) -> np.ndarray:
        """Mean kernels times mean activations, `[kernels, channels]` (CFP, eq. 3).

        Args:
          kernels: means over their window, `[kernels, channels / groups]`.
          pooled: means of the activations over space and time, `[channels]`.
          groups: of a grouped convolution.
        """
        if groups == 1:
            return kernels * pooled
        if self.grouped == "repeat":
            return np.repeat(kernels, groups, axis=1) * pooled
        inflated = np.zeros((groups, len(kernels) // groups, groups, kernels.shape[1]), np.float32)
        own = np.arange(groups)
        inflated[own, :, own] = kernels.reshape(groups, -1, kernels.shape[1])
        return inflated.reshape(len(kernels), -1) * pooled

    def wired(
        self, numbers: Sequence[int], kernels: int, channels: int, groups: int
    ) -> Iterator[tuple[list[int], range]]:
        """Kernels by groups, with the channels that they may rely on.

        Where kernels share a list, those of each group have one: the mean of their products. Zeros
        for kernels of other groups would make all values of a group smaller by one factor, which
        bringing them to [0, 1] takes out again.

        Args:
          numbers: of the kernels, ascending.
          kernels: of the layer.
          channels: that it convolves.
          groups: of the convolution.
        """
        groups = groups if self.grouped == "own" else 1
        outputs, inputs = kernels // groups, channels // groups
        for group, members in itertools.groupby(numbers, lambda number: number // outputs):
            yield list(members), range(group * inputs, (group + 1) * inputs)

    def values(self, products: np.ndarray) -> np.ndarray:
        """Products of one kernel, or means over several, brought to [0, 1]."""
        if self.grouped == "own" and len(products) == 1:
            return np.ones(1, np.float32)
        return normalize(products / products.sum() if self.divide else products)


DEFAULT = Rules()
PAPER = Rules(grouped="inflate")
CODE = Rules("weights", divide=True, grouped="repeat")


@dataclass(frozen=True)
class Keep:
    """Which channels are kept.

    Attributes:
      threshold: theta, the least value, in [0, 1].
      top: at most so many of them, the largest; None is all.

    Raises:
      ValueError: a number is out of its range.
    """

    threshold: float = 0.6
    top: int | None = None

    def __post_init__(self) -> None:
        check(vars(self), KEEP)

    def __call__(self, values: np.ndarray) -> dict[int, float]:
        """Channels and their values, the largest first, of equal ones the lower number.

        Args:
          values: `[channels]` in [0, 1]. Where all are equal and below 1, nothing tells the
            channels apart, and none is kept.
        """
        if values.min() == values.max() < 1:
            return {}
        order = np.argsort(-values, kind="stable")
        kept = order[values[order] >= self.threshold][: self.top]
        return {int(index): float(values[index]) for index in kept}


def normalize(values: np.ndarray) -> np.ndarray:
    """Values brought to [0, 1] (CFP, eq. 1); zeros where all are equal."""
    values = np.asarray(values, np.float32)
    spread = values.max() - values.min()
    return (values - values.min()) / spread if spread > 0 else np.zeros_like(values)
