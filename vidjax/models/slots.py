"""The places in a residual block that methods may fill."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import jax

Triple = tuple[int, int, int]
Make = Callable[..., Any]
PLACES = ("conv", "norm", "act")
# Modules in slots have names that begin so.
SLOT_NAMES = ("before_", "gate", "branch_drop", "after_block", "after_stage")
PLACEMENTS = ("start", "top", "mid", "end", "res", "final")


def points_of(convolutions: int) -> tuple[str, ...]:
    """The points of a branch of so many convolutions."""
    return tuple(f"{place}{n + 1}" for n in range(convolutions) for place in PLACES)


@dataclass(frozen=True)
class Points:
    """Where in the branch of a block something is, for each kind of block.

    `conv1` is before the first convolution, `norm1` before its norm, `act1` before its activation,
    and so on; the last `act` is at the branch's end, before the addition.
    """

    basic: tuple[str, ...] = ("norm1", "norm2")
    bottleneck: tuple[str, ...] = ("norm1", "norm2", "norm3")

    def __post_init__(self) -> None:
        known = points_of(3)
        for point in (*self.basic, *self.bottleneck):
            if point not in known:
                raise ValueError(f"{point!r} in a block: one of {', '.join(known)}")


@dataclass(frozen=True)
class Slots:
    """What methods put into a block; None leaves a slot empty.

    Each is a factory, called with `name=` inside the block, of a module that maps features to
    features, all but the first to those of the same shape.

    Attributes:
      conv: in the place of the convolutions in space and time, those of a basic block and the
        middle one of a bottleneck: `conv(features, kernel_size, strides, norm=...)`, which ends
        in norm and activation.
      before_norm: `module(x, train=...)` inside the branch.
      points: where; between each convolution and its norm if not said otherwise.
      gate: `module(x, train=...)` at `placement`.
      placement: where the gate is: `start` (block input), `top` (after the first convolution of
        a bottleneck), `mid` (before the last convolution), `end` (branch output), `res`
        (shortcut) or `final` (after the addition and activation); thesis, figure 4.5.
      branch_drop: `module(branch, train=...)` before the addition; made with `depth=`, the
        block's number divided by that of all blocks, too.
      after_block: `module(x, classifier, train=...)` at the end of each block, with the
        classifier's kernel `[F, num_classes]`.
      after_stage: the same at the end of the stage.
    """

    conv: Make | None = None
    before_norm: Make | None = None
    points: Points = Points()
    gate: Make | None = None
    placement: str = "final"
    branch_drop: Make | None = None
    after_block: Make | None = None
    after_stage: Make | None = None

    def __post_init__(self) -> None:
        if self.placement not in PLACEMENTS:
            raise ValueError(f"placement {self.placement!r}: one of {', '.join(PLACEMENTS)}")


def in_slot(path: Iterable[str]) -> bool:
    """Whether a variable is of a method: a part of its path is the name of a filled slot."""
    return any(part.startswith(SLOT_NAMES) for part in path)


def end(
    make: Make | None, x: jax.Array, classifier: jax.Array | None, name: str, *, train: bool
) -> jax.Array:
    """What is in a slot at the end of a block or stage, called inside a module."""
    return x if make is None else make(name=name)(x, classifier, train=train)
