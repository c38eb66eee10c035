"""Draws initial weights one array at a time, because compiling all draws together takes minutes.

A network draws thousands of arrays of a few dozen shapes. In a single program, XLA compiles every
draw separately. Drawn one at a time, arrays of equal shape share a compiled program.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import jaxpr_as_fun

from vidjax.fast_compilation import FAST_COMPILE
from vidjax.jaxpr import bind, is_literal, opened

# Names of JAX's primitives for a function that is compiled separately.
_COMPILED = ("jit", "pjit")


def init_op_by_op(init: Callable[..., Any], key: jax.Array) -> Any:
    """Computes `init(key)` operation by operation, skipping those that no result depends on.

    Leaves never share memory, because a training step donates its state.

    Args:
      init: function of a random key that returns a tree of arrays.
      key: random key.

    Returns:
      The tree that `init(key)` would return.
    """
    program, results = jax.make_jaxpr(init, return_shape=True)(key)
    jaxpr, constants = opened(program)
    known = dict(zip((*jaxpr.invars, *jaxpr.constvars), (key, *constants), strict=True))
    draws: dict[int, Callable[..., Any]] = {}
    for operation in _needed(jaxpr):
        given = [_value(known, each) for each in operation.invars]
        if operation.primitive.name in _COMPILED:
            inner = operation.params["jaxpr"]
            if id(inner) not in draws:
                draws[id(inner)] = jax.jit(jaxpr_as_fun(inner), compiler_options=FAST_COMPILE)
            found = draws[id(inner)](*given)
        else:
            found = bind(operation.primitive, given, operation.params)
            found = found if operation.primitive.multiple_results else [found]
        known.update(zip(operation.outvars, found, strict=True))
    leaves, seen = [], set[int]()
    for leaf in (_value(known, each) for each in jaxpr.outvars):
        leaves.append(jnp.copy(leaf) if id(leaf) in seen else leaf)
        seen.add(id(leaf))
    return jax.tree.unflatten(jax.tree.structure(results), leaves)


def _needed(jaxpr: Any) -> list[Any]:
    """Returns the operations that the results depend on, in order."""
    needed = {each for each in jaxpr.outvars if not is_literal(each)}
    operations = []
    for operation in reversed(jaxpr.eqns):
        if not needed.isdisjoint(operation.outvars):
            operations.append(operation)
            needed |= {each for each in operation.invars if not is_literal(each)}
    return operations[::-1]


def _value(known: dict[Any, Any], each: Any) -> Any:
    return each.val if is_literal(each) else known[each]
