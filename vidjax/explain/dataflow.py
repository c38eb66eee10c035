"""Data flow of a program: which values depend on the clip, and which are pooled.

Features are traced. A value that was computed from their sums or maxima, such as a gate, is not.
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
    """A JAX primitive for which vidjax does not know how channels pass through it."""

    def __init__(self, operation: Operation, why: str = "") -> None:
        reason = why or "how channels pass through it is not known"
        super().__init__(
            f"primitive {operation.primitive!r} in layer {operation.layer or '(top)'!r}: {reason}"
        )


@dataclass(frozen=True)
class Dataflow:
    """What the rules need to know of a program besides an operation.

    Attributes:
      moving: values that depend on the clip. The others are weights and constants.
      direct: values that are features, and not only computed from sums or maxima of features.
      fixed: returns the array of a value that depends on no input; None for other values.
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
    ) -> Dataflow:
        """Reads the data flow of a program from its clip and its other non-variable inputs."""
        direct = set(inputs)
        for operation in program.operations:
            if not pools(operation) and not direct.isdisjoint(operation.inputs):
                direct.update(operation.outputs)
        return cls(frozenset(program.depending_on(inputs)), frozenset(direct), fixed)


def pools(operation: Operation) -> bool:
    """Returns whether an operation pools: a sum or maximum over locations, or a mean over space."""
    if operation.primitive in REDUCTIONS:
        return True
    if operation.primitive != "reduce_window_sum":
        return False
    before, after = operation.inputs[0].shape, operation.outputs[0].shape
    windows = operation.params["window_dimensions"]
    whole = [size for size, window in zip(before, windows, strict=True) if 1 < size == window]
    left = [size for size in after if size > 1]
    # Channels remain, and possibly frames.
    return len(whole) > 1 and len(left) < 3 and not any(map(any, operation.params["padding"]))
