"""A stage of a residual network: blocks one after the other, compiled one by one or in a loop."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from vidjax.models.blocks import Factories, Make, Slots

STREAMS = ("dropout", "noise")


class Stage(nn.Module):
    """Blocks, then the slot at the stage's end.

    Attributes:
      blocks: makes the blocks, called with `slots` and `name`.
      slots: what methods put in.
      scan: run neighbouring blocks of the same make as one loop, which is compiled once. The
        parameters keep their names; random streams are split otherwise than without.
    """

    blocks: tuple[Make, ...]
    slots: Slots
    scan: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to the shape of the last block's output."""
        # The first block gets what no other does: channels of the stage before.
        numbered = enumerate(self.blocks, start=1)
        for _, run in itertools.groupby(numbered, lambda item: (item[0] == 1, _key(item[1]))):
            numbers, makes = zip(*run, strict=True)
            names = [f"block{number}" for number in numbers]
            if self.scan and len(names) > 1 and not self.is_initializing():
                x = self._loop(makes[0], names, x, train=train)
                continue
            for name, block in zip(names, makes, strict=True):
                x = block(slots=self.slots, name=name)(x, train=train)
        if self.slots.after_stage is not None:
            x = self.slots.after_stage(name="after_stage")(x, train=train)
        return x

    def _loop(self, make: Make, names: list[str], x: jax.Array, *, train: bool) -> jax.Array:
        """Stacks the variables of equal blocks, scans over them and lays the new ones apart."""
        block = make(slots=self.slots, parent=None)
        known = {c: v for c, v in self.variables.items() if all(name in v for name in names)}
        stacked = {
            collection: jax.tree.map(lambda *leaves: jnp.stack(leaves), *(tree[n] for n in names))
            for collection, tree in known.items()
        }
        keys = {
            stream: jax.random.split(self.make_rng(stream), len(names))
            for stream in STREAMS
            if self.has_rng(stream)
        }
        mutable = [c for c in (*known, "intermediates") if self.is_mutable_collection(c)]

        def body(x: jax.Array, own: Any) -> tuple[jax.Array, Any]:
            variables, rngs = own
            return block.apply(variables, x, train=train, rngs=rngs, mutable=mutable)

        with jax.named_scope(names[0]):
            x, updates = lax.scan(body, x, (stacked, keys))
        for collection, tree in updates.items():
            for index, name in enumerate(names):
                one = jax.tree.map(lambda leaf, index=index: leaf[index], tree)
                self.put_variable(collection, name, one)
        return x


def _key(value: Any) -> Any:
    """What two factories have in common if they make the same block."""
    if isinstance(value, functools.partial):
        keywords = tuple(sorted((name, _key(item)) for name, item in value.keywords.items()))
        return _key(value.func), tuple(map(_key, value.args)), keywords
    if isinstance(value, Factories):
        return tuple(_key(getattr(value, item.name)) for item in dataclasses.fields(value))
    return value
