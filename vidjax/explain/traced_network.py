"""Traces a network, so that explanations can read its layers and compute any of its values.

A model is a Flax module or a function of variables and clip. It is traced with each convolution as
one primitive. When it runs, convolutions use the algorithms that are fast on the machine.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from flax.errors import FlaxError
from jax import lax

from vidjax.explain.layer_graph import LayerGraph, read_layer_graph
from vidjax.explain.model_adapter import Call, WithInputs, plain_model
from vidjax.layers.conv import conv3d
from vidjax.layers.lowering import force_lowering
from vidjax.layers.pooling import max_pool
from vidjax.program import Form, Value, evaluate, read_program
from vidjax.settings import shown

# Axes of [B, T, H, W, C] and [kt, kh, kw, in, out], in XLA's order of their meanings.
_CLIP_AXES, _KERNEL_AXES = (0, 4, 1, 2, 3), (4, 3, 0, 1, 2)
Model = Any


@dataclass(frozen=True, eq=False)
class TracedNetwork:
    """A network traced for clips of one shape.

    Attributes:
      graph: its layers.
      weights: the program's values of its variables, in the order of their leaves.
      clip: the program's value of its clip.
    """

    graph: LayerGraph
    weights: tuple[Value, ...]
    clip: Value

    def evaluate(
        self,
        variables: Any,
        clip: Any,
        wanted: Sequence[Value],
        known: Mapping[Value, Any] | None = None,
    ) -> list[Any]:
        """Computes values of the program for one clip. Call it inside a compiled function.

        Args:
          variables: variables as the model takes them.
          clip: `[1, T, H, W, 3]`.
          wanted: the values to compute.
          known: arrays that replace values the network would compute.
        """
        given = self._given(variables, clip) | dict(known or {})
        return evaluate(self.graph.program, given, wanted, FORMS)

    def _given(self, variables: Any, clip: jax.Array) -> dict[Value, Any]:
        leaves = jax.tree.leaves(variables)
        return dict(zip((*self.weights, self.clip), (*leaves, clip), strict=True))


def trace_network(model: Model, variables: Any, clip: Any) -> TracedNetwork:
    """Traces a network. The same network is traced only once for each clip shape.

    Args:
      model: a module of `flax.linen`, which gets `train=False` if it accepts that, or a function of
        `(variables, clip)` to logits `[1, classes]`. `vidjax.explain.open_network.open_network`
        accepts other models.
      variables: arrays, or their shapes.
      clip: `[1, T, H, W, 3]`, an array or its shape.

    Raises:
      ValueError: the model or its output is of another kind, or the logits do not come from one
        classifier.
      UnknownPrimitiveError: a primitive after the classifier cannot be traced.
    """
    model, variables = plain_model(model, variables)
    return trace_call(Call(model), variables, clip)


def trace_call(call: Call, variables: Any, clip: Any) -> TracedNetwork:
    """Traces a network from a `Call`; otherwise like `trace_network`."""
    leaves, tree = jax.tree.flatten(jax.tree.map(_shape, variables))
    shape = _shape(clip)
    try:
        return _trace_once(call, tree, tuple(leaves), shape)
    except TypeError as error:
        if "unhashable" not in str(error):
            raise
        return _trace(call, tree, tuple(leaves), shape)


def _shape(leaf: Any) -> jax.ShapeDtypeStruct:
    """Returns shape and the dtype that JAX computes in, which differs for some NumPy arrays."""
    if not hasattr(leaf, "shape"):
        raise ValueError(f"variables contain {shown(leaf)}: arrays are expected")
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.extended):
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)
    return jax.ShapeDtypeStruct(leaf.shape, jax.dtypes.canonicalize_dtype(leaf.dtype))


def _trace(call: Call, tree: Any, leaves: tuple[Any, ...], clip: Any) -> TracedNetwork:
    with force_lowering("lax"):
        variables = jax.tree.unflatten(tree, leaves)
        try:
            program = read_program(call, variables, clip)
        except FlaxError as error:
            why = str(error).splitlines()[0]
            raise ValueError(f"model and variables do not fit each other: {why}") from error
    *weights, value = program.inputs
    others = len(variables.others) if isinstance(variables, WithInputs) else 0
    own = weights[: len(weights) - others]
    given = program.depending_on(program.inputs)

    def fixed(value: Value) -> np.ndarray | None:
        return None if value in given else np.asarray(evaluate(program, {}, [value])[0])

    names = dict(zip(own, _paths(variables), strict=False))
    graph = read_layer_graph(program, [value, *weights[len(own) :]], names, fixed, call.top)
    return TracedNetwork(graph, tuple(weights), value)


_trace_once = functools.lru_cache(maxsize=16)(_trace)
# Names of arrays inside a layer, and Flax's names of collections and boxes of arrays.
_ARRAYS = ("kernel", "weight", "w")
_OUTER, _BOXES = "params", ("value", "raw_value")


def _paths(variables: Any) -> Iterator[str]:
    """Yields a name for each array: the name of its layer."""
    own = variables.variables if isinstance(variables, WithInputs) else variables
    for path, _ in jax.tree_util.tree_leaves_with_path(own):
        parts = [jax.tree_util.keystr((key,), simple=True) for key in path]
        parts = parts[:-1] if len(parts) > 1 and parts[-1] in _BOXES else parts
        parts = parts[1:] if len(parts) > 1 and parts[0] == _OUTER else parts
        parts = parts[:-1] if len(parts) > 1 and parts[-1] in _ARRAYS else parts
        yield "/".join(parts)


def _conv(x: jax.Array, kernel: jax.Array, **params: Any) -> jax.Array:
    numbers = params["dimension_numbers"]
    axes = (tuple(spec) for spec in (numbers.lhs_spec, numbers.rhs_spec, numbers.out_spec))
    dilated = {*params["lhs_dilation"], *params["rhs_dilation"], params["batch_group_count"]}
    if (*axes,) == (_CLIP_AXES, _KERNEL_AXES, _CLIP_AXES) and dilated == {1}:
        groups = params["feature_group_count"]
        return conv3d(x, kernel, params["window_strides"], params["padding"], groups)
    return lax.conv_general_dilated_p.bind(x, kernel, **params)


def _max(x: jax.Array, **params: Any) -> jax.Array:
    windows, strides = params["window_dimensions"], params["window_strides"]
    dilated = {*params["base_dilation"], *params["window_dilation"]}
    whole = {windows[0], windows[-1], strides[0], strides[-1]}
    if x.ndim == 5 and whole == {1} and dilated == {1}:
        return max_pool(x, windows[1:4], strides[1:4], params["padding"][1:4])
    return lax.reduce_window_max_p.bind(x, **params)


# Primitives that XLA computes slowly on a CPU, with the faster algorithms of `vidjax.layers`.
FORMS: Mapping[str, Form] = {"conv_general_dilated": _conv, "reduce_window_max": _max}
