"""Reading a traced JAX program: every operation with the layer it belongs to.

A jaxpr nests: jitted calls, custom gradients, rematerialised and scanned bodies hold jaxprs of
their own. The walk enters them, so that a reader sees one flat sequence of primitives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jax.extend import core

# Transformations wrap the names of layers in the name stack: jvp(stage1), transpose(jvp(stage1)).
_WRAPPED = re.compile(r"^\w+\((.*)\)$")
# Flax adds `block1._short` for methods of a module beside its `__call__`.
_METHOD = re.compile(r"^\w+\.\w+$")


@dataclass(frozen=True)
class Operation:
    """One primitive of a program.

    Attributes:
      eqn: the equation of the jaxpr.
      layer: path of the module that it stands in, such as `layer1/block2/conv1`.
      repeats: how often it runs, where loops of known length hold it.
    """

    eqn: Any
    layer: str
    repeats: int

    @property
    def primitive(self) -> str:
        """Name of the primitive."""
        return str(self.eqn.primitive.name)


def operations(jaxpr: Any, layer: str = "", repeats: int = 1) -> Iterator[Operation]:
    """Walks a (closed) jaxpr in order, entering nested ones.

    The branches of a `cond` are all walked, and a `while` body once: how often it runs is not
    in the program.
    """
    for eqn in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        here = _join(layer, str(eqn.source_info.name_stack))
        inner = list(_inner(eqn))
        if not inner:
            yield Operation(eqn, here, repeats)
        length = eqn.params["length"] if eqn.primitive.name == "scan" else 1
        for body in inner:
            yield from operations(body, here, repeats * length)


def _inner(eqn: Any) -> Iterator[Any]:
    """The jaxprs an equation runs; not those of its gradients, which are functions still."""
    for value in eqn.params.values():
        for item in value if isinstance(value, (tuple, list)) else (value,):
            if isinstance(item, (core.Jaxpr, core.ClosedJaxpr)):
                yield item


def _join(outer: str, name_stack: str) -> str:
    parts = [outer] if outer else []
    for part in name_stack.split("/"):
        while match := _WRAPPED.match(part):
            part = match[1]
        if part and not _METHOD.match(part):
            parts.append(part)
    return "/".join(parts)
