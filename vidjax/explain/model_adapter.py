"""Wraps any kind of model as a function of its variables and one clip."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax

from vidjax.settings import shown
from vidjax.untrusted_names import nearest


class WithInputs(NamedTuple):
    """The variables of a network with several inputs, with all inputs but the clip.

    Attributes:
      variables: the model's variables.
      others: the inputs other than the clip.
    """

    variables: Any
    others: tuple[Any, ...]


@dataclass(frozen=True)
class SplitModule:
    """A module of `flax.nnx` without its arrays.

    Attributes:
      graph: the graph definition from `nnx.split`.
    """

    graph: Any

    def __call__(self, state: Any, *inputs: Any) -> Any:
        """Runs the module in evaluation mode: no dropout, norms use their running statistics."""
        from flax import nnx

        module = nnx.merge(self.graph, state)
        module.eval()
        return module(*inputs)


@dataclass(frozen=True)
class Call:
    """How to call a model.

    Attributes:
      model: a module of `flax.linen`, or a function of `(variables, clip)`. A module gets
        `train=False` if it accepts that argument.
      output: which of several outputs holds the logits: a key, an index or an attribute name.
      place: index of the clip among several inputs; None if the clip is the only input.
    """

    model: Any
    output: str | int | None = None
    place: int | None = None

    @property
    def top(self) -> str:
        """The name that Flax gives to the outermost module; empty for other models."""
        return type(self.model).__name__ if hasattr(self.model, "apply") else ""

    def __call__(self, variables: Any, clip: jax.Array) -> jax.Array:
        """Returns the logits, `[1, classes]`."""
        inputs: Any = clip
        if self.place is not None:
            own, others = variables
            inputs = (*others[: self.place], clip, *others[self.place :])
            variables = own
        if hasattr(self.model, "apply"):
            taken = inspect.signature(type(self.model).__call__).parameters
            options = {"train": False} if "train" in taken else {}
            return logits_of(self.model.apply(variables, inputs, **options), self.output)
        return logits_of(self.model(variables, inputs), self.output)


def plain_model(model: Any, variables: Any) -> tuple[Any, Any]:
    """Returns the model as a function of its variables, and the variables.

    Args:
      model: a module of `flax.linen` or `flax.nnx`, or a function of `(variables, clip)`.
      variables: the model's variables; None for a module of `flax.nnx`, which holds them itself.

    Raises:
      ValueError: the model is of another kind; the message shows it.
    """
    if _of_nnx(model):
        from flax import nnx

        if variables is not None:
            raise ValueError(
                f"variables = {shown(variables)}: a module of flax.nnx holds its variables itself; "
                "pass None"
            )
        graph, state = nnx.split(model)
        return SplitModule(graph), state
    if isinstance(model, type) or not (hasattr(model, "apply") or callable(model)):
        raise ValueError(
            f"model = {shown(model)}: pass a module of flax.linen or flax.nnx, or a function of "
            "(variables, clip)"
        )
    return model, variables


def _of_nnx(model: Any) -> bool:
    kinds = {kind.__module__ for kind in type(model).__mro__}
    return any(kind.startswith("flax.nnx") for kind in kinds) and not isinstance(model, type)


def logits_of(given: Any, output: str | int | None = None) -> jax.Array:
    """Returns the logits from a model's output.

    Args:
      given: an array, or a tuple, list, mapping or dataclass that contains it.
      output: which of several outputs to take. None takes the only one of shape `[1, classes]`.

    Raises:
      ValueError: the output does not exist, or it is not clear which output holds the logits.
    """
    parts = _parts(given)
    if parts is None:
        if output is not None:
            raise ValueError(f"output = {output!r} has no effect: the model returns one array")
        if not _are_logits(given):
            what = shown(given) if not hasattr(given, "shape") else list(given.shape)
            raise ValueError(f"the model returns {what}; logits [1, classes] are expected")
        return given
    if output is not None:
        if output not in parts:
            raise ValueError(f"the model has no output {output!r}: {_known(output, parts)}")
        parts = {output: parts[output]}
    meant = [key for key, value in parts.items() if _are_logits(value)]
    if len(meant) == 1:
        return parts[meant[0]]
    told = ", ".join(f"{key!r} {_shape(value)}" for key, value in parts.items())
    if meant:
        raise ValueError(
            f"the model returns {told}: say which output holds the logits, such as "
            f"output={meant[0]!r}"
        )
    raise ValueError(f"the model returns {told}; logits [1, classes] are expected")


def _parts(given: Any) -> dict[Any, Any] | None:
    """Returns a model's outputs by key; None if there is only one."""
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, tuple) and hasattr(given, "_asdict"):
        return dict(given._asdict())
    if isinstance(given, (tuple, list)):
        return dict(enumerate(given))
    if hasattr(given, "__dataclass_fields__"):
        return {name: getattr(given, name) for name in given.__dataclass_fields__}
    return None


def _known(output: str | int, parts: Mapping[Any, Any]) -> str:
    names = [str(key) for key in parts]
    return nearest(str(output), names)


def _are_logits(value: Any) -> bool:
    shape: Sequence[int] | None = getattr(value, "shape", None)
    return shape is not None and len(shape) == 2 and shape[0] == 1 and bool(shape[1])


def _shape(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else str(list(shape))
