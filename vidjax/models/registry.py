"""Creates networks by name with methods in their slots: the one file that knows both.

A network is registered by the `VARIANTS` of a module in `vidjax.models`, a method by the `OPTIONS`
of a module in `vidjax.methods`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax import methods, plugins
from vidjax.models.cards import Variant
from vidjax.models.model_list import variant
from vidjax.models.renamed_options import has_old_names, with_new_settings
from vidjax.settings import Kind, check, whole
from vidjax.slots import AllSlots, Guesses, Option, Places, Reading, Slots, as_tuples
from vidjax.untrusted_names import nearest

STAGES = 4


def _is_dtype(value: Any) -> bool:
    try:
        return value is not None and jnp.dtype(value) in (jnp.float32, jnp.bfloat16)
    except TypeError:
        return False


# Arguments of all networks.
ALL: Mapping[str, Kind] = {
    "num_classes": whole(1, 2**24),
    "dtype": Kind("float32 or bfloat16", _is_dtype),
}


def create_model(
    name: str, *, num_classes: int = 400, dtype: Any = jnp.float32, **options: Any
) -> nn.Module:
    """Creates a network.

    Args:
      name: one of `list_models()`.
      num_classes: number of logits.
      dtype: dtype of the computation, float32 or bfloat16; parameters, statistics and logits are
        float32.
      **options: options of the family, such as `width`, and of methods, which are off by default.
        `vidjax.options(name)` lists them with allowed values, defaults and meanings. A method's
        option may be a tuple or list of several values; each adds a module, and they run in this
        order.

    Returns:
      A flax module: `model.apply(variables, clip, train=False)` maps normalised clips `[B, T, H, W,
      3]` to logits float32 `[B, num_classes]`.

    Raises:
      ValueError: the name or an option is unknown, or a value is not allowed.

    Examples:
      >>> import jax, jax.numpy as jnp, vidjax
      >>> model = vidjax.create_model("r3d_18", num_classes=5, width=4, depths=(1, 1, 0, 0))
      >>> clip = jnp.zeros((1, 4, 32, 32, 3))
      >>> variables = model.init(jax.random.key(0), clip, train=False)
      >>> model.apply(variables, clip, train=False).shape
      (1, 5)
    """
    options = current_options(name, options)
    check_options(name, options)
    check({"num_classes": num_classes, "dtype": dtype}, ALL)
    network = variant(name)
    options = {**network.defaults, **{key: as_tuples(value) for key, value in options.items()}}
    places = _places(network, options)
    slots: AllSlots = (Slots(),) * STAGES
    ours = methods_of(network)
    for key, method in ours.items():
        for value in _each(key, options.pop(key, None), several=method.several):
            slots = method.fill(slots, value, places)
    for method in ours.values():
        if method.check is not None:
            method.check(slots)
    return network.build(num_classes=num_classes, dtype=dtype, slots=slots, **options)


def current_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Replaces old names of a network's options, and of its methods' settings, by new ones.

    Raises:
      ValueError: the network is unknown, or an option has both its old and its new name.
    """
    if not has_old_names(options):
        return dict(options)
    network = variant(name)
    settings = {key: method.settings for key, method in methods_of(network).items()}
    return with_new_settings(options, network.options, settings)


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuses unknown options of a network, and disallowed values of its own options.

    Args:
      name: one of `list_models()`.
      options: as in `create_model`.

    Raises:
      ValueError: the name or an option is unknown, or a value is not allowed.
    """
    network, options = variant(name), current_options(name, options)
    _check_names(network, options)
    check(options, network.options)


def _check_names(network: Variant, options: Iterable[str]) -> None:
    """Refuses options that the network does not have."""
    name, known = network.card.name, (*network.options, *methods_of(network))
    for option in options:
        if option in network.refused:
            raise ValueError(f"{name} does not support {option}: {network.refused[option]}")
        if option not in known:
            if option in methods.unusable():
                raise ValueError(methods.unusable()[option])
            if option in methods.options():
                raise ValueError(f"{name} does not support {option}")
            raise ValueError(f"{name} has no option {option!r}: {nearest(option, known)}")


def methods_of(network: Variant) -> dict[str, Option]:
    """Returns the methods' options that a network supports, in the order that they fill slots.

    A method is left out, with a warning, if its option has the name of a network's own option.
    """
    known = methods.options()
    for name in known.keys() & network.options.keys():
        plugins.warn_once(
            f"{network.card.name} has an option {name!r} itself, so the method is left out"
        )
    return {
        name: option
        for name, option in known.items()
        if name not in network.options
        and name not in network.refused
        and (network.methods is None or name in network.methods)
    }


def _places(network: Variant, options: Mapping[str, Any]) -> Places:
    depths = options.get("depths") or network.depths
    empty = [stage for stage in network.stages if depths and not depths[stage - 1]]
    block = options.get("block", network.block)
    return Places(network.stages, tuple(empty), block, tuple(depths or ()))


def _each(name: str, option: Any, *, several: bool) -> tuple[Any, ...]:
    """Returns the values of a method's option as a tuple: none, one, or several."""
    if option is None:
        return ()
    if not (several and isinstance(option, tuple)):
        return (option,)
    if not option:
        raise ValueError(f"{name} = {option} is empty; use None to turn it off")
    return option


def readings(name: str, options: Mapping[str, Any]) -> Reading | None:
    """Returns a function that reads the values a network's methods report; None if there are none.

    Args:
      name: name of the network.
      options: options that it was created with.
    """
    found = [each.reading for each in _methods_on(name, options) if each.reading is not None]

    def read(intermediates: Mapping[str, Any], logits: jax.Array) -> dict[str, jax.Array]:
        return {k: v for reading in found for k, v in reading(intermediates, logits).items()}

    return read if found else None


def guesses(name: str, options: Mapping[str, Any]) -> Guesses | None:
    """Returns a function that reads the classes that methods predict; None without such methods.

    Args:
      name: name of the network.
      options: options that it was created with.
    """
    found = [each.guesses for each in _methods_on(name, options) if each.guesses is not None]

    def read(intermediates: Mapping[str, Any]) -> dict[str, jax.Array]:
        return {k: v for guess in found for k, v in guess(intermediates).items()}

    return read if found else None


def _methods_on(name: str, options: Mapping[str, Any]) -> list[Option]:
    network = variant(name)
    options = {**network.defaults, **current_options(name, options)}
    return [own for key, own in methods_of(network).items() if options.get(key) is not None]
