"""The optimiser: any optimiser of optax by name, with gradient clipping and weight decay.

Settings are passed to the optimiser's parameters by name: `optimizer.momentum` to `momentum`, `b1`
or `beta`, `optimizer.nesterov` to `nesterov`, and `optimizer.weight_decay` to `weight_decay` if it
also takes a mask. Otherwise the decay is added to the gradient, as in SGD. `optimizer.options` has
its other parameters.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from vidjax.run.defaults import defaults
from vidjax.run.setting_groups import OptimizerConfig
from vidjax.run.typed_values import ConfigError
from vidjax.settings import Kind, check, number, one_of, shown
from vidjax.untrusted_names import nearest

CONTRIB = "contrib."
_MOMENTUM = ("momentum", "b1", "beta")
_MASKS = ("mask", "weight_decay_mask")
# Decays of running averages in any optimiser; optax itself does not check them.
_SHARES = ("b1", "b2", "b3", "beta", "beta3", "decay", "rho", "momentum")
_SHARE = number(0, below=1)
_LARGEST = 1e9
# Weights of `vidjax.layers.recurrence` whose names do not contain "kernel".
_RECURRENT = ("recurrent_kernel", "peephole")
_NONE = ("_", "scale_by", "schedule_free")

Make = Callable[..., optax.GradientTransformation]


def decayed(params: Any, *, recurrent: bool = False) -> Any:
    """Marks the parameters that weight decay applies to: kernels, but not norm scales and biases.

    Args:
      params: a network's parameters.
      recurrent: include the recurrent weights of recurrent cells: kernels and peepholes.

    Returns:
      A tree of True and False like `params`.
    """
    known = ("kernel", *(_RECURRENT if recurrent else ()))
    return jax.tree_util.tree_map_with_path(
        lambda path, _: str(getattr(path[-1], "key", "")) in known, params
    )


@functools.cache
def optimizers() -> Mapping[str, Make]:
    """Lists the optimisers of optax by name, and those of `optax.contrib` as `contrib.NAME`.

    They are its public functions with a learning rate, except for parts of optimisers
    (`scale_by_...`) and `schedule_free...`, which evaluates with other parameters than it trains.
    """
    homes = {"": optax, CONTRIB: optax.contrib}
    return {
        f"{prefix}{name}": make
        for prefix, home in homes.items()
        for name, make in inspect.getmembers(home, inspect.isfunction)
        if not name.startswith(_NONE) and "learning_rate" in inspect.signature(make).parameters
    }


def make_optimizer(
    config: OptimizerConfig, rate: optax.Schedule
) -> optax.GradientTransformationExtraArgs:
    """Chains gradient clipping (if on), weight decay and the optimiser.

    The decay is added to the gradient, except in optimisers with decoupled decay. AdamW is
    `optax.adamw`, whose decay is decoupled (Loshchilov and Hutter 2019).

    Raises:
      ConfigError: the name or an option is unknown, or a setting has no effect or does not fit.
    """
    known = optimizers()
    if config.name not in known:
        raise ConfigError(
            f"optimizer.name = {config.name!r} is not an optimiser of optax: "
            f"{nearest(config.name, known)}"
        )
    make = known[config.name]
    given, beside = _arguments(config, inspect.signature(make).parameters)
    options = _options(config, make, given)
    clip = [optax.clip_by_global_norm(config.clip_norm)] if config.clip_norm else []
    mask = None if config.decay_norm_and_bias else _mask(config)
    decays = [] if beside else [optax.add_decayed_weights(config.weight_decay, mask)]
    try:
        optimizer = optax.chain(*clip, *decays, make(rate, **given, **options))
        _try(optimizer)
    except Exception as error:
        raise ConfigError(_misfit(config, error)) from error
    return optimizer


def _arguments(
    config: OptimizerConfig, parameters: Mapping[str, inspect.Parameter]
) -> tuple[dict[str, Any], bool]:
    """Returns the optimiser's arguments, and whether they include the decay."""
    given: dict[str, Any] = {}
    momentum = next((name for name in _MOMENTUM if name in parameters), None)
    if momentum:
        given[momentum] = config.momentum
    elif config.momentum not in (0, defaults().optimizer.momentum):
        raise ConfigError(_without(config, "momentum", "leave it out"))
    if "nesterov" in parameters:
        given["nesterov"] = config.nesterov
    elif config.nesterov:
        raise ConfigError(_without(config, "nesterov", "set it to False"))
    mask = next((name for name in _MASKS if name in parameters), None)
    beside = mask is not None and "weight_decay" in parameters
    if mask is not None and beside:
        given["weight_decay"] = config.weight_decay
        everything = parameters[mask].default
        given[mask] = everything if config.decay_norm_and_bias else _mask(config)
    return given, beside


def _mask(config: OptimizerConfig) -> Callable[[Any], Any]:
    return functools.partial(decayed, recurrent=config.decay_recurrent)


def _without(config: OptimizerConfig, setting: str, fix: str) -> str:
    value = getattr(config, setting)
    return (
        f"optimizer.{setting} = {value!r} has no effect, because optax.{config.name} has none: "
        f"{fix}, or choose another optimizer.name"
    )


def _options(config: OptimizerConfig, make: Make, given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values of the parameters that no other setting sets.

    Raises:
      ConfigError: the optimiser has no such parameter, another setting sets it, one is missing, or
        a value is of the wrong type.
    """
    parameters = inspect.signature(make).parameters
    ours = {"learning_rate": "lr", **{name: _setting(name) for name in given}}
    if "weight_decay" in parameters:
        ours["weight_decay"] = "weight_decay"
    free = {name: each for name, each in parameters.items() if name not in ours}
    for name in config.options:
        if name in ours:
            raise ConfigError(
                f"optimizer.options has {name!r}, which optimizer.{ours[name]} sets: use that"
            )
        if name not in free:
            raise ConfigError(
                f"optimizer.options has {name!r}, which optax.{config.name} does not take: "
                f"{nearest(name, free)}"
            )
    missing = [
        name
        for name, each in free.items()
        if each.default is each.empty and name not in config.options
    ]
    if missing:
        raise ConfigError(
            f"optimizer.name = {config.name!r} needs optimizer.options with {', '.join(missing)}"
        )
    table = {name: _kind(name, free[name].default) for name in config.options}
    try:
        check(config.options, table, "optimizer.options.")
    except ValueError as error:
        raise ConfigError(str(error)) from None
    # Configurations hold lists where optax expects tuples.
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in config.options.items()
    }


def _setting(parameter: str) -> str:
    """Returns the setting that sets a parameter."""
    if parameter in _MASKS:
        return "decay_norm_and_bias"
    return "momentum" if parameter in _MOMENTUM else parameter


def _kind(name: str, default: Any) -> Kind:
    """Returns the kind of an option: that of its default."""
    if isinstance(default, bool):
        return one_of(True, False)
    if name in _SHARES:
        return _SHARE
    if isinstance(default, int | float):
        return number(-_LARGEST, _LARGEST)
    return Kind("a finite number, a text, True or False, or a tuple of those", _is_plain)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return isinstance(value, str | bool) or (
        isinstance(value, int | float) and math.isfinite(value) and abs(value) <= _LARGEST
    )


def _try(optimizer: optax.GradientTransformation) -> None:
    """Traces an update of kernels and a bias, which reveals misfits; computes nothing.

    Raises:
      Exception: whatever the optimiser raises.
    """
    conv = {"kernel": jnp.zeros((1, 1, 1, 2, 2)), "bias": jnp.zeros(2)}
    params = {"conv": conv, "head": {"kernel": jnp.zeros((2, 2))}}
    state = jax.eval_shape(optimizer.init, params)
    for leaf in jax.tree.leaves(state):
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            raise ValueError("it keeps a random key, which checkpoints cannot store")
    jax.eval_shape(optimizer.update, params, state, params)


def _misfit(config: OptimizerConfig, error: Exception) -> str:
    options = f" with optimizer.options = {shown(dict(config.options))}" if config.options else ""
    reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
    return (
        f"optimizer.name = {config.name!r}{options} cannot be used: {reason}. Correct the options, "
        "or choose an optimiser that takes a schedule and needs gradients and parameters alone"
    )
