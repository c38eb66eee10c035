"""Draws initial weights one array at a time, because compiling all draws together takes minutes.

A network draws hundreds of arrays of a few dozen shapes. In a single program, XLA compiles every
draw separately. Drawn one at a time, arrays that are drawn alike share a compiled program, which
takes keys and scales as arguments. Constant arrays need no program.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vidjax.fast_compilation import FAST_COMPILE
from vidjax.garbage_collection import collection_paused
from vidjax.jaxpr import bind, is_literal, opened


def init_by_array(init: Callable[..., Any], key: jax.Array) -> Any:
    """Computes `init(key)` array by array, skipping operations that no result depends on.

    Leaves never share memory, because a training step donates its state. Each operation rounds as
    if it were compiled alone.

    Args:
      init: function of a random key that returns a tree of arrays.
      key: random key.

    Returns:
      The tree that `init(key)` would return.
    """
    with collection_paused():
        program, results = jax.make_jaxpr(init, return_shape=True)(key)
    jaxpr, constants = opened(program)
    known = dict(zip((*jaxpr.invars, *jaxpr.constvars), (key, *constants), strict=True))
    # A program that was compiled quickly runs on one core.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        draws = _Draws(jaxpr.eqns, known, threads)
        computed = [
            jnp.array(each.val, each.aval.dtype) if is_literal(each) else draws.array(each)
            for each in jaxpr.outvars
        ]
        arrays = [each.result() if isinstance(each, Future) else each for each in computed]
    leaves, seen = [], set[int]()
    for array in arrays:
        leaves.append(jnp.copy(array) if id(array) in seen else array)
        seen.add(id(array))
    return jax.tree.unflatten(jax.tree.structure(results), leaves)


class _Draws:
    """Computes variables of a jaxpr. Those that differ only in their numbers share a program.

    Args:
      operations: the operations of the jaxpr.
      known: its inputs and constants.
      threads: runs the programs, which are independent of each other.
    """

    def __init__(
        self, operations: Sequence[Any], known: Mapping[Any, Any], threads: ThreadPoolExecutor
    ) -> None:
        self._makers = {made: each for each in operations for made in each.outvars}
        self._known, self._threads = known, threads
        self._computed: dict[Any, Any] = dict(known)
        self._programs: dict[Hashable, Callable[..., jax.Array]] = {}

    def array(self, variable: Any) -> jax.Array | Future[jax.Array]:
        """Returns the value of a variable, or a future of it; each variable is computed once."""
        if variable not in self._computed:
            self._computed[variable] = self._begun(variable)
        return self._computed[variable]

    def _begun(self, variable: Any) -> jax.Array | Future[jax.Array]:
        operations = self._needed(variable)
        constant = _constant(operations)
        if constant is not None:
            return jnp.array(np.full(variable.aval.shape, constant, variable.aval.dtype))
        wiring, numbers, result = self._wired(operations, variable)
        alike = tuple(
            (operation.primitive, _comparable(operation.params), inputs)
            for operation, inputs in zip(operations, wiring, strict=True)
        )
        if (alike, result) not in self._programs:
            jitted = jax.jit(_program(operations, wiring, result))
            self._programs[alike, result] = jitted.lower(*numbers).compile(FAST_COMPILE)
        return self._threads.submit(self._programs[alike, result], *numbers)

    def _needed(self, variable: Any) -> list[Any]:
        """Returns the operations that a variable depends on, in their order."""
        needed: dict[int, Any] = {}

        def add(variable: Any) -> None:
            operation = None if is_literal(variable) else self._makers.get(variable)
            if operation is not None and id(operation) not in needed:
                for each in operation.invars:
                    add(each)
                needed[id(operation)] = operation

        add(variable)
        return list(needed.values())

    def _wired(
        self, operations: Sequence[Any], result: Any
    ) -> tuple[list[tuple[int, ...]], list[Any], int]:
        """Returns the places of all inputs, the arguments, and the place of the result.

        Argument n has place n, and the n-th result of an operation has place ~n.
        """
        made = [each for operation in operations for each in operation.outvars]
        places = {each: ~number for number, each in enumerate(made)}
        numbers: list[Any] = []

        def place(each: Any) -> int:
            if is_literal(each):
                numbers.append(np.asarray(each.val, each.aval.dtype))
                return len(numbers) - 1
            if each not in places:
                places[each] = len(numbers)
                numbers.append(self._known[each])
            return places[each]

        wiring = [tuple(map(place, operation.invars)) for operation in operations]
        return wiring, numbers, places[result]


def _constant(operations: Sequence[Any]) -> Any:
    """Returns the number that fills an array; None if the operations do anything else."""
    (last, *others) = operations
    if others or last.primitive.name != "broadcast_in_dim" or len(last.invars) != 1:
        return None
    return last.invars[0].val if is_literal(last.invars[0]) else None


def _program(
    operations: Sequence[Any], wiring: Sequence[Sequence[int]], result: int
) -> Callable[..., jax.Array]:
    """Returns the operations as a function of their arguments."""

    def run(*numbers: Any) -> jax.Array:
        made: list[Any] = []
        for operation, inputs in zip(operations, wiring, strict=True):
            taken = [numbers[place] if place >= 0 else made[~place] for place in inputs]
            found = bind(operation.primitive, taken, operation.params)
            found = found if operation.primitive.multiple_results else [found]
            # Without it, XLA merges factors across operations, and the weights of a seed change.
            made.extend(jax.lax.optimization_barrier(found))
        return made[~result]

    return run


def _comparable(params: Mapping[str, Any]) -> tuple[tuple[str, Hashable], ...]:
    """Returns parameters as a key. JAX traces draws of equal shape only once, to one jaxpr."""
    return tuple(
        (name, value if _is_hashable(value) else id(value))
        for name, value in sorted(params.items())
    )


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
