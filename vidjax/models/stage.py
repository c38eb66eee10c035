"""A stage of a residual network: a sequence of blocks, compiled one by one or as a loop."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from vidjax.models.blocks import Factories
from vidjax.slots.block import Make, Slots, end

STREAMS = ("dropout", "noise")
# Compiling a loop costs as much as compiling this many blocks.
LEAST = 6


class Stage(nn.Module):
    """A sequence of blocks, then the slot at the stage's end.

    Attributes:
      blocks: factories of the blocks, called with `slots` and `name`.
      slots: modules that methods insert.
      scan: run the blocks after the first as a loop whose body is compiled once, if they are all
        equal or alternate between two kinds. The parameters keep their names, but random streams
        are split differently.
      before: number of blocks in earlier stages.
      total: number of blocks in all stages.
      remat: keep only the input of each block for the backward pass, which recomputes the block.
    """

    blocks: tuple[Make, ...]
    slots: Slots
    scan: bool = False
    before: int = 0
    total: int = 0
    remat: bool = False

    @nn.compact
    def __call__(
        self, x: jax.Array, classifier: jax.Array | None = None, *, train: bool
    ) -> jax.Array:
        """Maps `[B, T, H, W, C]` to the shape of the last block's output.

        The classifier's kernel `[F, num_classes]` is for slots that read it.
        """
        looped = range(0)
        # The first block differs from the others: its input has the channels of the stage before.
        alike = not self.slots.has("branch_drop", "after_block", "gate_blocks")
        scan = self.scan and alike and not self.is_initializing()
        if scan and (period := _period(self.blocks[1:])):
            rest = len(self.blocks) - 1
            looped = range(2, 2 + rest // period * period) if rest >= LEAST else looped
        for number, make in enumerate(self.blocks, start=1):
            if number not in looped:
                make = functools.partial(make, slots=self._slots(number), name=f"block{number}")
                x = self._block(make, x, train=train)
                name = f"after_block{number}"
                x = end(self.slots, "after_block", x, classifier, name, train=train)
            elif number == looped.start:
                x = self._loop(looped, period, x, train=train)
        return end(self.slots, "after_stage", x, classifier, "after_stage", train=train)

    def _block(self, make: Make, x: jax.Array, *, train: bool) -> jax.Array:
        def run(stage: Stage, x: jax.Array) -> jax.Array:
            del stage
            return make()(x, train=train)

        return (nn.remat(run) if self.remat else run)(self, x)

    def _slots(self, number: int) -> Slots:
        """Returns the slots of a block; a method that drops branches needs the block's depth."""
        depth = (self.before + number) / (self.total or len(self.blocks))
        own = self.slots.of_block(number)
        return own.changed("branch_drop", lambda make: functools.partial(make, depth=depth))

    def _loop(self, numbers: range, period: int, x: jax.Array, *, train: bool) -> jax.Array:
        """Stacks the variables of equal blocks, scans over them and unstacks the new ones."""
        names = [f"block{number}" for number in numbers]
        turns = [names[turn::period] for turn in range(period)]
        makes = self.blocks[numbers.start - 1 : numbers.start - 1 + period]
        blocks = [make(slots=self.slots, parent=None) for make in makes]
        known = {c: v for c, v in self.variables.items() if all(name in v for name in names)}
        stacked = [
            {c: jax.tree.map(_stack, *(known[c][name] for name in turn)) for c in known}
            for turn in turns
        ]
        # Otherwise XLA fuses the stacking into every reader of a parameter, and compiles longer.
        stacked = lax.optimization_barrier(stacked)
        mutable = [c for c in (*known, "intermediates") if self.is_mutable_collection(c)]

        def body(x: jax.Array, own: Any) -> tuple[jax.Array, Any]:
            variables, keys = own
            updates = []
            for turn, block in enumerate(blocks):
                rngs = {stream: jax.random.fold_in(key, turn) for stream, key in keys.items()}
                x, update = block.apply(variables[turn], x, train=train, rngs=rngs, mutable=mutable)
                updates.append(update)
            return x, updates

        with jax.named_scope(names[0]):
            body = jax.checkpoint(body) if self.remat else body
            x, updates = lax.scan(body, x, (stacked, self._keys(len(turns[0]))))
        for turn, update in zip(turns, updates, strict=True):
            for collection, tree in update.items():
                for index, name in enumerate(turn):
                    self.put_variable(collection, name, jax.tree.map(lambda v, i=index: v[i], tree))
        return x

    def _keys(self, count: int) -> dict[str, jax.Array]:
        """Returns `count` keys of each random stream in use."""
        streams = [stream for stream in STREAMS if self.has_rng(stream)]
        return {stream: jax.random.split(self.make_rng(stream), count) for stream in streams}


def _stack(*leaves: jax.Array) -> jax.Array:
    return jnp.stack(leaves)


def _period(blocks: Sequence[Make]) -> int:
    """Returns the period after which blocks repeat, 1 or 2; 0 if they do not."""
    keys = [_key(block) for block in blocks]
    for period in (1, 2):
        if all(first == second for first, second in zip(keys, keys[period:], strict=False)):
            return period
    return 0


def _key(value: Any) -> Any:
    """Returns a value that is equal for two factories that make the same block."""
    if isinstance(value, functools.partial):
        keywords = tuple(sorted((name, _key(item)) for name, item in value.keywords.items()))
        return _key(value.func), tuple(map(_key, value.args)), keywords
    if isinstance(value, Factories):
        return tuple(_key(getattr(value, item.name)) for item in dataclasses.fields(value))
    return value
