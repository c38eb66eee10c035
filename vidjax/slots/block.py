"""The places in a residual block that methods may fill."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
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
    features, all but the first to those of the same shape. A slot holds several modules, one in
    these `Slots` and each further one in those that come `then`. They run in this order: each gets
    what the one before gives. Only `conv` holds no more than one.

    Attributes:
      conv: in the place of the convolutions in space and time, those of a basic block and the
        middle one of a bottleneck: `conv(features, kernel_size, strides, norm=...)`, which ends
        in norm and activation.
      before_norm: `module(x, train=...)` inside the branch.
      points: where; between each convolution and its norm if not said otherwise.
      gate: `module(x, train=...)` at `placement`.
      placement: where the gate is: `start` (block input), `top` (after the first convolution of
        a bottleneck), `mid` (before the last convolution), `end` (branch output), `res`
        (shortcut) or `final` (after the addition and activation); thesis, figure 4.5, which has
        `end` in bottlenecks alone.
      gate_blocks: numbers of the stage's blocks, from 1, that have the gate; None is all.
      branch_drop: `module(branch, train=...)` before the addition; made with `depth=`, the
        block's number divided by that of all blocks, too.
      after_block: `module(x, classifier, train=...)` at the end of each block, with the
        classifier's kernel `[F, num_classes]`.
      after_stage: the same at the end of the stage.
      then: what comes after these in the same places. Its modules have `_2` after their names,
        those of the next `_3`, and so on.
    """

    conv: Make | None = None
    before_norm: Make | None = None
    points: Points = Points()
    gate: Make | None = None
    placement: str = "final"
    gate_blocks: tuple[int, ...] | None = None
    branch_drop: Make | None = None
    after_block: Make | None = None
    after_stage: Make | None = None
    then: Slots | None = None

    def __post_init__(self) -> None:
        if self.placement not in PLACEMENTS:
            raise ValueError(f"placement {self.placement!r}: one of {', '.join(PLACEMENTS)}")

    def each(self) -> Iterator[tuple[str, Slots]]:
        """These and those that come then, in order, with what is added to their modules' names."""
        own: Slots | None = self
        number = 1
        while own is not None:
            yield ("" if number == 1 else f"_{number}"), own
            own, number = own.then, number + 1

    def has(self, *names: str) -> bool:
        """Whether any of some slots holds something."""
        return any(getattr(own, name) is not None for _, own in self.each() for name in names)

    def of_block(self, number: int) -> Slots:
        """These for one block of a stage: without gates that other blocks alone have."""
        then = self.then and self.then.of_block(number)
        has = self.gate_blocks is None or number in self.gate_blocks
        return dataclasses.replace(
            self, gate=self.gate if has else None, gate_blocks=None, then=then
        )

    def filled(self, slot: str, make: Make, **where: Any) -> Slots:
        """These with one more module in a slot, after those that are there.

        Args:
          slot: its name.
          make: makes the module.
          **where: `points`, `placement` or `gate_blocks`.

        Raises:
          ValueError: the slot holds one module only, and is taken.
        """
        if getattr(self, slot) is None:
            return dataclasses.replace(self, **{slot: make, **where})
        if slot == "conv":
            raise ValueError("the place of the convolutions is taken, and holds one method")
        then = (self.then or Slots()).filled(slot, make, **where)
        return dataclasses.replace(self, then=then)

    def changed(self, slot: str, change: Callable[[Make], Make]) -> Slots:
        """These with another factory for each in a slot."""
        make = getattr(self, slot)
        own: dict[str, Any] = {} if make is None else {slot: change(make)}
        return dataclasses.replace(self, then=self.then and self.then.changed(slot, change), **own)


def check_basic(slots: Slots) -> None:
    """Refuses what a basic block has no place for.

    Raises:
      ValueError: names the place and those that there are.
    """
    for _, own in slots.each():
        for point in own.points.basic:
            if point not in points_of(2):
                raise ValueError(f"{point!r}: a basic block has {', '.join(points_of(2))}")
        if own.gate is not None and own.placement == "top":
            raise ValueError("placement 'top' needs a bottleneck; a basic block has 'mid'")


def in_slot(path: Iterable[str]) -> bool:
    """Whether a variable is of a method: a part of its path is the name of a filled slot."""
    return any(part.startswith(SLOT_NAMES) for part in path)


def end(
    slots: Slots, slot: str, x: jax.Array, classifier: jax.Array | None, name: str, *, train: bool
) -> jax.Array:
    """What is in a slot at the end of a block or stage, called inside a module."""
    for suffix, own in slots.each():
        if (make := getattr(own, slot)) is not None:
            x = make(name=f"{name}{suffix}")(x, classifier, train=train)
    return x
