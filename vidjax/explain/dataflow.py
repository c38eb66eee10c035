"""What rules of channels know of a program: what moves with the clip, and what is summed.

Features are followed; what was read off their sums or maxima, such as a gate, makes none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vidjax.program import Operation, Program, Value

NONE = -1
Marks = np.ndarray
REDUCTIONS = frozenset(
    [
        "reduce_sum",
        "reduce_max",
        "reduce_min",
        "reduce_prod",
        "reduce_and",
        "reduce_or",
        "argmax",
        "argmin",
    ]
)


class UnknownPrimitiveError(ValueError):
    """A primitive through which it is not known how channels pass."""

    def __init__(self, operation: Operation, why: str = "") -> None:
        reason = why or "how channels pass through it is not known"
        super().__init__(
            f"primitive {operation.primitive!r} in layer {operation.layer or '(top)'!r}: {reason}"
        )


@dataclass(frozen=True)
class Flow:
    """What the rules need to know of a program besides an operation.

    Attributes:
      moving: values that depend on the clip; others are weights and constants.
      direct: those that are features, not only something read off the features' sums or maxima.
      fixed: arrays of values that depend on nothing given.
    """

    moving: frozenset[Value]
    direct: frozenset[Value]
    fixed: Callable[[Value], np.ndarray | None]

    @classmethod
    def of(
        cls,
        program: Program,
        inputs: Sequence[Value],
        fixed: Callable[[Value], np.ndarray | None],
    ) -> Flow:
        """Of a program that gets its clip, and more that is no variable, as these values."""
        direct = set(inputs)
        for operation in program.operations:
            if not pools(operation) and not direct.isdisjoint(operation.inputs):
                direct.update(operation.outputs)
        return cls(frozenset(program.depending_on(inputs)), frozenset(direct), fixed)


def pools(operation: Operation) -> bool:
    """Whether it sums places, or takes their maximum: a reduction, or a mean over all of space."""
    if operation.primitive in REDUCTIONS:
        return True
    if operation.primitive != "reduce_window_sum":
        return False
    before, after = operation.inputs[0].shape, operation.outputs[0].shape
    windows = operation.params["window_dimensions"]
    whole = [size for size, window in zip(before, windows, strict=True) if 1 < size == window]
    left = [size for size in after if size > 1]
    # Channels are left, and frames may be.
    return len(whole) > 1 and len(left) < 3 and not any(map(any, operation.params["padding"]))
