"""Reads a traced JAX program, with the layer of every operation, and runs it.

A jaxpr nests: jitted calls, custom gradients, rematerialised and scanned bodies have jaxprs of
their own. A `Program` is the same computation flattened in order: calls are inlined, loops of known
length are unrolled, and both branches of a conditional are computed before one is selected. A
computation that depends on no argument, such as the weights of a resizing, appears once, however
often it is traced.

A loop, or a call with its own derivative, runs as originally traced if none of its inner values is
requested.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import (
    Callable,
    Container,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import Primitive

from vidjax import jaxpr

# Transformations wrap layer names in the name stack: jvp(stage1), transpose(jvp(stage1)).
_WRAPPED = re.compile(r"^\w+\((.*)\)$")
# Flax adds `block1._short` for methods of a module other than `__call__`.
_METHOD = re.compile(r"^\w+\.[\w<>]+$")
Form = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Value:
    """An array of a program; each is computed once.

    Attributes:
      shape: shape of the array.
      dtype: dtype of the array.
      constant: the array itself, if the program holds it.
    """

    shape: tuple[int, ...]
    dtype: Any
    constant: Any = None


@dataclass(frozen=True, eq=False)
class Operation:
    """One primitive of a program.

    Attributes:
      kind: the JAX primitive.
      params: parameters of the primitive.
      inputs: values that it reads.
      outputs: values that it computes.
      layer: path of the module that it belongs to, such as `layer1/block2/conv1`.
    """

    kind: Primitive
    params: Mapping[str, Any]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    layer: str

    @property
    def primitive(self) -> str:
        """Name of the primitive."""
        return str(self.kind.name)


@dataclass(frozen=True, eq=False)
class Nested:
    """A flattened loop, or a flattened call with its own derivative.

    Attributes:
      whole: the loop or call as one operation.
      inside: the operations that it was flattened to.
      end: number of operations of the program before its end.
    """

    whole: Operation
    inside: tuple[Operation, ...]
    end: int

    def runs_whole(self, asked: Container[Value], forms: Container[str]) -> bool:
        """Returns whether it can run as one operation.

        It can if no inner value is requested and no primitive is replaced.
        """
        results = set(self.whole.outputs)
        made = (value for step in self.inside for value in step.outputs)
        return not any(value in asked for value in made if value not in results) and not any(
            step.primitive in forms for step in self.inside
        )


@dataclass(frozen=True)
class Program:
    """A flattened computation.

    Attributes:
      inputs: the arguments, in the order of their leaves.
      outputs: the results, in the order of their leaves.
      operations: the operations, in order.
      makers: the operation that computes a value, if there is one.
      nested: outermost loops and calls with their own derivative, in order of their ends.
    """

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    operations: tuple[Operation, ...]
    makers: Mapping[Value, Operation] = field(repr=False)
    nested: tuple[Nested, ...] = field(repr=False, default=())

    def depending_on(self, values: Iterable[Value]) -> set[Value]:
        """Returns all values that depend on one of these, including these."""
        found = set(values)
        for operation in self.operations:
            if not found.isdisjoint(operation.inputs):
                found.update(operation.outputs)
        return found


def read_program(function: Callable[..., Any], *arguments: Any) -> Program:
    """Traces a function to a program, without computing anything.

    Args:
      function: a function of arrays, or trees of them.
      *arguments: arrays, or their shapes and dtypes (`jax.ShapeDtypeStruct`).

    Raises:
      UnknownJaxprError: this version of JAX represents programs in an unknown way.
    """
    traced = jaxpr.trace(function, *arguments)
    reader = _Reader()
    inputs = [_value_of(var.aval) for var in jaxpr.opened(traced)[0].invars]
    outputs = reader.read(traced, inputs, "")
    makers = {value: step for step in reader.operations for value in step.outputs}
    operations, nested = tuple(reader.operations), tuple(reader.nested)
    return Program(tuple(inputs), tuple(outputs), operations, makers, nested)


def evaluate(
    program: Program,
    given: Mapping[Value, Any],
    wanted: Sequence[Value],
    forms: Mapping[str, Form] | None = None,
) -> list[Any]:
    """Computes some values of a program from others, and only what lies between them.

    Args:
      program: the program.
      given: arrays by value, for the program's inputs or any other values.
      wanted: values to compute.
      forms: functions by the primitives that they replace, called with the operation's inputs as
        arguments and its parameters as keywords.

    Raises:
      ValueError: a required input is missing.
    """
    known = dict(given)
    for operation in _needed(program, given, wanted, forms or {}):
        arrays = [_array(known, value) for value in operation.inputs]
        form = (forms or {}).get(operation.primitive)
        if form is None:
            results = jaxpr.bind(operation.kind, arrays, operation.params)
        else:
            results = form(*arrays, **operation.params)
        several = operation.kind.multiple_results
        known.update(zip(operation.outputs, results if several else (results,), strict=True))
    return [_array(known, value) for value in wanted]


def _array(known: Mapping[Value, Any], value: Value) -> Any:
    if value in known:
        return known[value]
    if value.constant is None:
        raise ValueError(f"the program needs an input {value.shape} that was not given")
    if isinstance(value.constant, jax.Array):
        return value.constant
    return jnp.asarray(value.constant, value.dtype)


def _needed(
    program: Program,
    given: Mapping[Value, Any],
    wanted: Iterable[Value],
    forms: Container[str],
) -> list[Operation]:
    asked = {*wanted, *given}
    missing, steps = set(wanted) - set(given), []
    nested = [own for own in program.nested if own.runs_whole(asked, forms)]

    def take(operation: Operation) -> None:
        if not missing.isdisjoint(operation.outputs):
            steps.append(operation)
            missing.difference_update(operation.outputs)
            missing.update(value for value in operation.inputs if value not in given)

    for place in range(len(program.operations), 0, -1):
        while nested and nested[-1].end == place:
            take(nested.pop().whole)
        take(program.operations[place - 1])
    return steps[::-1]


def _value_of(aval: Any) -> Value:
    return Value(tuple(aval.shape), aval.dtype)


class _Reader:
    """Flattens jaxprs."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.nested: list[Nested] = []
        self._turning = False
        # Values that depend on no argument, by the operations that compute them.
        self._fixed: set[Value] = set()
        self._made: dict[Hashable, tuple[Value, ...]] = {}

    def read(self, traced: Any, inputs: Sequence[Value], layer: str) -> list[Value]:
        """Reads a traced program for given arguments, and returns its results."""
        program, consts = jaxpr.opened(traced)
        known = dict(zip(program.invars, inputs, strict=True))
        for var, const in zip(program.constvars, consts, strict=True):
            known[var] = dataclasses.replace(_value_of(var.aval), constant=const)

        def value(atom: Any) -> Value:
            if jaxpr.is_literal(atom):
                return dataclasses.replace(_value_of(atom.aval), constant=atom.val)
            return known[atom]

        for eqn in program.eqns:
            here = _join(layer, jaxpr.name_stack(eqn))
            results = self._enter(eqn, [value(atom) for atom in eqn.invars], here)
            known.update(zip(eqn.outvars, results, strict=True))
        return [value(atom) for atom in program.outvars]

    def _enter(self, eqn: Any, inputs: list[Value], layer: str) -> list[Value]:
        if eqn.primitive.name == "scan":
            return self._loop(eqn, inputs, layer)
        if eqn.primitive.name == "cond":
            return self._choose(jaxpr.branches(eqn), inputs, layer)
        body = jaxpr.called(eqn)
        if body is not None:
            start = len(self.operations)
            results = self.read(body, inputs, layer)
            if eqn.primitive.name == jaxpr.OWN_DERIVATIVE:
                self._keep(eqn, inputs, results, layer, start)
            return results
        fixed = all(value in self._fixed or value.constant is not None for value in inputs)
        key = _key(eqn, inputs) if fixed else None
        if key is not None and key in self._made:
            return list(self._made[key])
        outputs = tuple(_value_of(var.aval) for var in eqn.outvars)
        self.operations.append(Operation(eqn.primitive, eqn.params, tuple(inputs), outputs, layer))
        if fixed:
            self._fixed.update(outputs)
        if key is not None:
            self._made[key] = outputs
        return list(outputs)

    def _loop(self, eqn: Any, inputs: list[Value], layer: str) -> list[Value]:
        start, outermost, self._turning = len(self.operations), not self._turning, True
        outputs = self._unroll(jaxpr.loop(eqn), inputs, layer)
        if outermost:
            self._keep(eqn, inputs, outputs, layer, start)
            self._turning = False
        return outputs

    def _keep(
        self, eqn: Any, inputs: list[Value], outputs: list[Value], layer: str, start: int
    ) -> None:
        """Records that the operations from `start` on are one equation."""
        whole = Operation(eqn.primitive, eqn.params, tuple(inputs), tuple(outputs), layer)
        self.nested.append(Nested(whole, tuple(self.operations[start:]), len(self.operations)))

    def _unroll(self, loop: jaxpr.Loop, inputs: list[Value], layer: str) -> list[Value]:
        carried = loop.consts + loop.carry
        consts, state = inputs[: loop.consts], inputs[loop.consts : carried]
        turns = list(range(loop.length))
        collected: dict[int, list[Value]] = {}
        for turn in turns[::-1] if loop.reverse else turns:
            own = [self._element(value, turn, layer) for value in inputs[carried:]]
            results = self.read(loop.body, [*consts, *state, *own], layer)
            state, collected[turn] = results[: loop.carry], results[loop.carry :]
        stacks = zip(*(collected[turn] for turn in turns), strict=True)
        return [*state, *(self._emit(_stack, list(stack), layer) for stack in stacks)]

    def _element(self, value: Value, turn: int, layer: str) -> Value:
        return self._emit(lambda x: lax.index_in_dim(x, turn, keepdims=False), [value], layer)

    def _choose(self, branches: Sequence[Any], inputs: list[Value], layer: str) -> list[Value]:
        which, *rest = inputs
        results = zip(*(self.read(branch, rest, layer) for branch in branches), strict=True)
        return [self._emit(lax.select_n, [which, *cases], layer) for cases in results]

    def _emit(self, function: Callable[..., Any], inputs: list[Value], layer: str) -> Value:
        """Adds the operations of a function with one result, as traced by JAX."""
        shapes = [jax.ShapeDtypeStruct(value.shape, value.dtype) for value in inputs]
        traced = jaxpr.trace(lambda *arrays: function(*arrays), *shapes)
        (result,) = self.read(traced, inputs, layer)
        return result


def _key(eqn: Any, inputs: Sequence[Value]) -> Hashable | None:
    """Returns a key that is equal for operations with equal results; None if that is unknown."""
    params = tuple(sorted(eqn.params.items(), key=lambda item: item[0]))
    held = [value if value.constant is None else _held(value) for value in inputs]
    key = (eqn.primitive, params, *held)
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _held(value: Value) -> Hashable:
    """Identifies a number by its value, and an array by its identity."""
    return value if value.shape else (str(value.dtype), repr(np.asarray(value.constant).item()))


def _stack(*arrays: jax.Array) -> jax.Array:
    return jnp.concatenate([array[None] for array in arrays])


def _join(outer: str, name_stack: str) -> str:
    parts = [outer] if outer else []
    parts += _names(name_stack.split("/"))
    return "/".join(parts)


def _names(parts: Iterable[str]) -> Iterator[str]:
    for part in parts:
        while match := _WRAPPED.match(part):
            part = match[1]
        if part and not _METHOD.match(part):
            yield part
