"""Reads JAX's representation of a traced program: the only file that depends on its details.

JAX gives no guarantees about jaxprs. Version 0.10 keeps the constants of a jaxpr beside it and
counts the parts of a loop (`num_consts`, `num_carry`). Version 0.12 keeps constants inside, and
parts in trees (`ft_in`). This module reads both, and version 0.7, which differs from 0.10 only in
`bind`. It refuses anything else instead of guessing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
from jax.extend import core

_KNOWN = "0.7 and 0.10 to 0.12"
# Primitives that only call a body; without the body, a network would lose operations.
_CALLS = frozenset(
    {"jit", "pjit", "closed_call", "remat2", "checkpoint", "custom_jvp_call", "custom_vjp_call"}
)
# Calls whose derivative is not that of their body: `relu` has 0 at 0, and `max(x, 0)` 0.5.
OWN_DERIVATIVE = "custom_jvp_call"


class UnknownJaxprError(ValueError):
    """This version of JAX represents a part of a program in an unknown way."""


class Loop(NamedTuple):
    """A loop of known length.

    Attributes:
      body: program of the body, with constants, state and an element of each other input as inputs.
      length: number of iterations.
      reverse: whether it starts with the last element.
      consts: number of inputs that stay constant.
      carry: number of inputs after these that are the state; as many first results are the new one.
    """

    body: Any
    length: int
    reverse: bool
    consts: int
    carry: int


def _known(read: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps a reader so that anything unexpected becomes an error that names JAX's version."""

    @functools.wraps(read)
    def reading(written: Any) -> Any:
        try:
            return read(written)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            what = getattr(getattr(written, "primitive", None), "name", type(written).__name__)
            raise UnknownJaxprError(
                f"JAX {jax.__version__} represents `{what}` in a way unknown to vidjax, which "
                f"reads JAX {_KNOWN} ({type(error).__name__}: {error})"
            ) from error

    return reading


def trace(function: Callable[..., Any], *arguments: Any) -> Any:
    """Traces a function to its program and constants, without computing anything.

    Args:
      function: a function of arrays, or trees of them.
      *arguments: arrays, or their shapes and dtypes.
    """
    return jax.make_jaxpr(function)(*arguments)


@_known
def opened(program: Any) -> tuple[Any, Sequence[Any]]:
    """Returns the jaxpr (`invars`, `constvars`, `eqns`, `outvars`) and its constants."""
    jaxpr = getattr(program, "jaxpr", program)
    consts = getattr(program, "consts", ())
    if len(consts) != len(jaxpr.constvars):
        raise ValueError(f"{len(consts)} constants for {len(jaxpr.constvars)} variables")
    return jaxpr, consts


@_known
def name_stack(equation: Any) -> str:
    """Returns where an equation was traced: modules and transformations, separated by slashes."""
    return str(equation.source_info.name_stack)


def bind(primitive: core.Primitive, arrays: Sequence[Any], params: Mapping[str, Any]) -> Any:
    """Computes an equation for given inputs, as JAX itself does."""
    given = primitive.get_bind_params(dict(params))
    # Before JAX 0.10, the programs that an equation calls are not parameters but come first.
    called, given = given if isinstance(given, tuple) else ((), given)
    return primitive.bind(*called, *arrays, **given)


def is_literal(atom: Any) -> bool:
    """Returns whether an argument is a literal of the program (with `val`), not a variable."""
    return isinstance(atom, core.Literal)


@_known
def loop(equation: Any) -> Loop:
    """Reads the parameters of a `scan`."""
    params, given = equation.params, _shapes(equation.invars)
    if "ft_in" in params:
        consts, carry, _ = (len(part) for part in params["ft_in"].unpack())
    else:
        consts, carry = params["num_consts"], params["num_carry"]
    same, state, own = given[:consts], given[consts : consts + carry], given[consts + carry :]
    body, _ = opened(params["jaxpr"])
    taken = [*same, *state, *(shape[1:] for shape in own)]
    if _shapes(body.invars) != taken or _shapes(body.outvars[:carry]) != state:
        raise ValueError(f"{consts} constants and a state of {carry} do not fit its body")
    return Loop(params["jaxpr"], params["length"], params["reverse"], consts, carry)


@_known
def branches(equation: Any) -> Sequence[Any]:
    """Returns the programs between which a `cond` chooses by its first argument."""
    return equation.params["branches"]


@_known
def called(equation: Any) -> Any:
    """Returns the program that an equation calls; None if it calls none.

    The body of a call has the inputs and outputs of the call. Other jaxprs, such as that of a
    reduction, work on scalars, and those of gradients are still functions. A loop of unknown length
    does not count as a call of its body, although inputs and outputs may agree.
    """
    if equation.primitive.name == "while":
        return None
    outer = [_shapes(equation.invars), _shapes(equation.outvars)]
    for value in equation.params.values():
        if isinstance(value, (core.Jaxpr, core.ClosedJaxpr)):
            jaxpr, _ = opened(value)
            if [_shapes(jaxpr.invars), _shapes(jaxpr.outvars)] == outer:
                return value
    if equation.primitive.name in _CALLS:
        raise ValueError("a call without a body")
    return None


def _shapes(atoms: Iterable[Any]) -> list[tuple[int, ...]]:
    return [tuple(atom.aval.shape) for atom in atoms]
