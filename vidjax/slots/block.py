"""The slots of a residual block, which methods may fill."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import jax

Triple = tuple[int, int, int]
Make = Callable[..., Any]
PLACES = ("conv", "norm", "act")
# Prefixes of the names of modules in slots.
SLOT_NAMES = ("before_", "gate", "branch_drop", "after_block", "after_stage")
PLACEMENTS = ("start", "top", "mid", "end", "res", "final")


def points_of(convolutions: int) -> tuple[str, ...]:
    """Returns the points of a branch with a number of convolutions."""
    return tuple(f"{place}{n + 1}" for n in range(convolutions) for place in PLACES)


@dataclass(frozen=True)
class Points:
    """Points in the branch of a block, for each kind of block.

    `conv1` is before the first convolution, `norm1` before its norm, `act1` before its activation,
    and so on; the last `act` is at the branch's end, before the addition.
    """

    basic: tuple[str, ...] = ("norm1", "norm2")
    bottleneck: tuple[str, ...] = ("norm1", "norm2", "norm3")

    def __post_init__(self) -> None:
        known = points_of(3)
        for point in (*self.basic, *self.bottleneck):
            if point not in known:
                raise ValueError(f"{point!r} is no point of a block: one of {', '.join(known)}")


@dataclass(frozen=True)
class Slots:
    """The modules that methods insert into a block; None leaves a slot empty.

    Each is a factory, called with `name=` inside the block. Its module maps features to features,
    of the same shape except in `conv`. A slot can hold several modules: one in these `Slots`, and
    each further one in the `Slots` of `then`. They run in this order, each on the output of the one
    before. Only `conv` holds a single module.

    Attributes:
      conv: replaces the convolutions in space and time: those of a basic block, or the middle one
        of a bottleneck. `conv(features, kernel_size, strides, norm=...)` ends in norm and
        activation.
      before_norm: `module(x, train=...)` inside the branch.
      points: where `before_norm` is; by default between each convolution and its norm.
      gate: `module(x, train=...)` at `placement`.
      placement: where the gate is: `start` (block input), `top` (after the first convolution of a
        bottleneck), `mid` (before the last convolution), `end` (branch output), `res` (shortcut) or
        `final` (after the addition and activation); thesis, figure 4.5, where `end` is only in
        bottlenecks.
      gate_blocks: indices of the stage's blocks, from 1, that have the gate; None means all.
      branch_drop: `module(branch, train=...)` before the addition. Its factory also gets `depth=`,
        the index of the block in the network, from 1, divided by the number of blocks.
      after_block: `module(x, classifier, train=...)` at the end of each block, with the
        classifier's kernel `[F, num_classes]`.
      after_stage: the same at the end of the stage.
      then: further modules for the same slots. Their names end in `_2`, those of the next `then` in
        `_3`, and so on.
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
        """Yields these slots and those of `then`, in order, with the suffixes of module names."""
        own: Slots | None = self
        number = 1
        while own is not None:
            yield ("" if number == 1 else f"_{number}"), own
            own, number = own.then, number + 1

    def has(self, *names: str) -> bool:
        """Returns whether any of the named slots is filled."""
        return any(getattr(own, name) is not None for _, own in self.each() for name in names)

    def of_block(self, number: int) -> Slots:
        """Returns the slots for one block of a stage, without gates of other blocks."""
        then = self.then and self.then.of_block(number)
        has = self.gate_blocks is None or number in self.gate_blocks
        return dataclasses.replace(
            self, gate=self.gate if has else None, gate_blocks=None, then=then
        )

    def filled(self, slot: str, make: Make, **where: Any) -> Slots:
        """Returns the slots with one more module in a slot, after those already there.

        Args:
          slot: name of the slot.
          make: factory of the module.
          **where: `points`, `placement` or `gate_blocks`.

        Raises:
          ValueError: the slot holds only one module, and is taken.
        """
        if getattr(self, slot) is None:
            return dataclasses.replace(self, **{slot: make, **where})
        if slot == "conv":
            raise ValueError("another method has replaced the convolutions already")
        then = (self.then or Slots()).filled(slot, make, **where)
        return dataclasses.replace(self, then=then)

    def changed(self, slot: str, change: Callable[[Make], Make]) -> Slots:
        """Returns the slots with each factory in a slot replaced."""
        make = getattr(self, slot)
        own: dict[str, Any] = {} if make is None else {slot: change(make)}
        return dataclasses.replace(self, then=self.then and self.then.changed(slot, change), **own)


def check_basic(slots: Slots) -> None:
    """Refuses slots that a basic block does not have.

    Raises:
      ValueError: names the point and those that exist.
    """
    for _, own in slots.each():
        for point in own.points.basic:
            if point not in points_of(2):
                raise ValueError(f"{point!r}: a basic block has {', '.join(points_of(2))}")
        if own.gate is not None and own.placement == "top":
            raise ValueError("placement 'top' needs a bottleneck; a basic block has 'mid'")


def in_slot(path: Iterable[str]) -> bool:
    """Returns whether a variable belongs to a method: its path has the name of a filled slot."""
    return any(part.startswith(SLOT_NAMES) for part in path)


def end(
    slots: Slots, slot: str, x: jax.Array, classifier: jax.Array | None, name: str, *, train: bool
) -> jax.Array:
    """Applies the modules in a slot at the end of a block or stage, inside a module."""
    for suffix, own in slots.each():
        if (make := getattr(own, slot)) is not None:
            x = make(name=f"{name}{suffix}")(x, classifier, train=train)
    return x
