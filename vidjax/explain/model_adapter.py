"""A model as a function of its variables and one clip, whatever kind of model it is."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax

from vidjax.settings import shown
from vidjax.untrusted_names import nearest


class WithInputs(NamedTuple):
    """What a network of several inputs takes beside the clip.

    Attributes:
      variables: of the model.
      others: the inputs that are not the clip.
    """

    variables: Any
    others: tuple[Any, ...]


@dataclass(frozen=True)
class SplitModule:
    """A module of `flax.nnx` without its arrays.

    Attributes:
      graph: what `nnx.split` gives beside the state.
    """

    graph: Any

    def __call__(self, state: Any, *inputs: Any) -> Any:
        """What the module gives in evaluation: norms keep their statistics, nothing is dropped."""
        from flax import nnx

        module = nnx.merge(self.graph, state)
        module.eval()
        return module(*inputs)


@dataclass(frozen=True)
class Call:
    """How a model is called.

    Attributes:
      model: a module of `flax.linen`, which is told `train=False` if it takes that, or a function
        of `(variables, clip)`.
      output: which of several outputs are the logits: a key, a number or an attribute's name.
      place: which of several inputs, a tuple, is the clip; None is the only input.
    """

    model: Any
    output: str | int | None = None
    place: int | None = None

    @property
    def top(self) -> str:
        """The name that Flax gives to the whole network; empty where there is none."""
        return type(self.model).__name__ if hasattr(self.model, "apply") else ""

    def __call__(self, variables: Any, clip: jax.Array) -> jax.Array:
        """The logits, `[1, classes]`."""
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
    """A model that takes its variables as an argument, and these.

    Args:
      model: a module of `flax.linen` or of `flax.nnx`, or a function of `(variables, clip)`.
      variables: of the model; None for a module of `flax.nnx`, which holds them itself.

    Raises:
      ValueError: says what was given instead.
    """
    if _of_nnx(model):
        from flax import nnx

        if variables is not None:
            raise ValueError(
                f"variables = {shown(variables)}: a module of flax.nnx holds its own; give None"
            )
        graph, state = nnx.split(model)
        return SplitModule(graph), state
    if isinstance(model, type) or not (hasattr(model, "apply") or callable(model)):
        raise ValueError(
            f"model = {shown(model)}: a module of flax.linen or flax.nnx, or a function of "
            "(variables, clip)"
        )
    return model, variables


def _of_nnx(model: Any) -> bool:
    kinds = {kind.__module__ for kind in type(model).__mro__}
    return any(kind.startswith("flax.nnx") for kind in kinds) and not isinstance(model, type)


def logits_of(given: Any, output: str | int | None = None) -> jax.Array:
    """The logits among what a model gives.

    Args:
      given: an array, or a tuple, list, mapping or dataclass that holds it.
      output: which of several; None is the only one that is `[1, classes]`.

    Raises:
      ValueError: there is no such output, or none or several that may be meant.
    """
    parts = _parts(given)
    if parts is None:
        if output is not None:
            raise ValueError(f"output = {output!r} has no effect: the model gives one array")
        if not _are_logits(given):
            what = shown(given) if not hasattr(given, "shape") else list(given.shape)
            raise ValueError(f"the model gives {what}; logits [1, classes] are expected")
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
        raise ValueError(f"the model gives {told}: say which are the logits, output={meant[0]!r}")
    raise ValueError(f"the model gives {told}; logits [1, classes] are expected")


def _parts(given: Any) -> dict[Any, Any] | None:
    """Outputs by their keys; None for a single one."""
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
