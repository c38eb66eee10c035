"""Freezes a part of a network while the rest is trained."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import flax.linen as nn
import jax
import optax

from vidjax.layers.norm import BatchNorm
from vidjax.run.network_parts import check_known, is_called, names
from vidjax.run.typed_values import ConfigError
from vidjax.untrusted_names import nearest

Params = Any


def frozen(params: Params, part: str, parts: Sequence[str] = ()) -> Params:
    """Marks the parameters that are frozen.

    Args:
      params: a network's parameters.
      part: name of a module or parameter to train, such as `class_reg` or `head`: all parameters
        without it in their path are frozen. Empty trains all.
      parts: parameters in any of these parts (`vidjax.run.network_parts`) are frozen too.

    Returns:
      A tree of True and False like `params`.

    Raises:
      ConfigError: no parameter has such a part, or none is left to train.
    """
    paths = [names(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    if part and not any(part in path for path in paths):
        known = {name for path in paths for name in path}
        raise ConfigError(
            f"train.train_only = {part!r} is in no parameter's path (is its method in "
            f"model.options?): {nearest(part, known)}"
        )
    check_known(params, parts, "train.frozen")

    def stays(path: Sequence[str]) -> bool:
        return bool(part and part not in path) or _in_any(path, parts)

    if all(map(stays, paths)):
        raise ConfigError(f"train.frozen = {tuple(parts)!r} leaves no parameter to train")
    return jax.tree_util.tree_map_with_path(lambda path, _: stays(names(path)), params)


def stop_frozen_gradients(params: Params, part: str, parts: Sequence[str] = ()) -> Params:
    """Stops the gradients of frozen parameters, as in `frozen`; the values stay the same."""
    return jax.tree.map(
        lambda leaf, held: jax.lax.stop_gradient(leaf) if held else leaf,
        params,
        frozen(params, part, parts),
    )


def train_part(
    optimizer: optax.GradientTransformationExtraArgs, part: str, parts: Sequence[str] = ()
) -> optax.GradientTransformationExtraArgs:
    """Restricts an optimiser to the trained parameters: updates, weight decay and momentum.

    Args:
      optimizer: the optimiser.
      part: as in `frozen`.
      parts: as in `frozen`.
    """

    def labels(params: Params) -> Params:
        return jax.tree.map(lambda held: "hold" if held else "train", frozen(params, part, parts))

    return optax.partition({"train": optimizer, "hold": optax.set_to_zero()}, labels)


@contextlib.contextmanager
def as_in_evaluation(
    parts: Sequence[str], *, batch_norm: bool = False, all_but_first: bool = False
) -> Iterator[None]:
    """Runs modules of some parts with `train=False` while the context is open.

    Their batch norms use the stored statistics and do not update them; dropout and the noise of
    methods are off.

    Args:
      parts: as in `frozen`.
      batch_norm: also for all batch norms of the network.
      all_but_first: also for all batch norms except the one that is called first.
    """
    first: list[Sequence[str]] = []

    def is_held(module: nn.Module) -> bool:
        if not isinstance(module, BatchNorm):
            return False
        if all_but_first and not first:
            first.append(module.path)
        return batch_norm or (all_but_first and module.path != first[0])

    def run(call: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
        module = context.module
        held = is_held(module)
        if held or _in_any(module.path, parts):
            kwargs = {**kwargs, "train": False} if "train" in kwargs else kwargs
        return call(*args, **kwargs)

    with nn.intercept_methods(run):
        yield


def check_scan(params: Params, parts: Sequence[str]) -> None:
    """Refuses to freeze parts inside a stage that is compiled as a loop over equal blocks.

    Raises:
      ConfigError: names the part.
    """
    for path, _ in jax.tree_util.tree_leaves_with_path(params):
        for inside in names(path)[1:-1]:
            if part := next((part for part in parts if is_called(inside, part)), None):
                raise ConfigError(
                    f"train.frozen has {part!r}, which is inside a stage, but model.options.scan "
                    "runs all its blocks alike: freeze whole stages, or set scan to False"
                )


def check_batch_norm(
    model: nn.Module, clip_shape: tuple[int, ...], setting: str, fewest: int = 1
) -> None:
    """Refuses to freeze batch norms in a network with too few batch norms of vidjax.

    Args:
      model: the network.
      clip_shape: `(B, T, H, W, C)`.
      setting: the setting that freezes them.
      fewest: smallest number of batch norms.

    Raises:
      ConfigError: the network has fewer.
    """
    found: set[Sequence[str]] = set()

    def note(call: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
        if isinstance(context.module, BatchNorm):
            found.add(context.module.path)
        return call(*args, **kwargs)

    clip = jax.ShapeDtypeStruct(clip_shape, "float32")
    with nn.intercept_methods(note):
        jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), clip)
    if len(found) < fewest:
        number = "one" if found else "no"
        raise ConfigError(
            f"{setting} = True has no effect, because the network has {number} batch norm of "
            "vidjax.layers.norm: leave it out"
        )


def _in_any(path: Sequence[str], parts: Sequence[str]) -> bool:
    return any(is_called(name, part) for name in path for part in parts)
