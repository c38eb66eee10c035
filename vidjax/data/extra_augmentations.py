"""Finds, checks and applies the augmentations that `augment.also` names.

Each augmentation is one module: a file in `vidjax/data/augmentations`, or a module of another
package (`vidjax.plugins`). The module defines two names:

    SETTINGS      the range of each setting, as in `vidjax.settings`
    AUGMENTATION  a frozen dataclass; its fields are the settings with their defaults, and its
                  instances are called with (rng, clip)

One call augments one clip, uint8 `[T, H, W, 3]` in and out. `rng` is a NumPy generator. What is
drawn from it applies to all frames of the clip.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from vidjax import plugins
from vidjax.data import augmentations
from vidjax.settings import Kind, check, shown
from vidjax.untrusted_names import nearest

WHERE = "augment.also"
ALSO = Kind(
    "augmentations by name, each with its settings, such as {'random_erasing': {'chance': 0.25}}",
    lambda value: isinstance(value, Mapping),
)


class Augment(Protocol):
    """An augmentation: a callable that changes a clip."""

    def __call__(self, rng: np.random.Generator, clip: np.ndarray) -> np.ndarray:
        """Augments a clip uint8 `[T, H, W, 3]`; the result has the same shape and dtype."""
        ...


def make(also: Mapping[str, Any]) -> dict[str, Augment]:
    """Creates augmentations from their settings, in the order in which they are applied.

    >>> make({"random_erasing": {"chance": 0.25}})["random_erasing"].chance
    0.25

    Args:
      also: settings by augmentation name. Settings that are not given have their defaults.

    Raises:
      ValueError: an augmentation or a setting is unknown, or a value is out of its range. The
        message is one line that names the setting.
    """
    return {name: _make(name, settings) for name, settings in also.items()}


def apply(made: Mapping[str, Augment], rng: np.random.Generator, clip: np.ndarray) -> np.ndarray:
    """Applies augmentations one after the other to a clip uint8 `[T, H, W, 3]`.

    Raises:
      ValueError: an augmentation returns another shape or dtype.
    """
    for name, augment in made.items():
        given, clip = clip, augment(rng, np.ascontiguousarray(clip))
        if clip.dtype != np.uint8 or clip.shape != given.shape:
            raise ValueError(
                f"{WHERE}.{name} returned {clip.dtype} {clip.shape} for uint8 {given.shape}; an "
                "augmentation must keep shape and dtype"
            )
    return clip


def _make(name: str, settings: Any) -> Augment:
    where = f"{WHERE}.{name}"
    try:
        module = plugins.load(augmentations, name, "augmentation")
    except plugins.PluginError as error:
        raise ValueError(f"{WHERE}: {error}") from None
    if not isinstance(settings, Mapping):
        raise ValueError(f"{where} = {shown(settings)}: must be a dict of settings, such as {{}}")
    if lacking := [part for part in ("SETTINGS", "AUGMENTATION") if not hasattr(module, part)]:
        raise ValueError(f"{where}: its module does not define {lacking[0]}")
    for setting in settings:
        if setting not in module.SETTINGS:
            raise ValueError(
                f"{where}.{setting} is not a setting; {nearest(setting, module.SETTINGS)}"
            )
    check(settings, module.SETTINGS, f"{where}.")
    try:
        made: Augment = module.AUGMENTATION(**dict(_tuples(settings)))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    return made


def _tuples(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Restores the tuples that a JSON file turned into lists."""
    for name, value in settings.items():
        yield name, tuple(value) if isinstance(value, list) else value
