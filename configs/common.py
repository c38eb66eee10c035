"""Shared parts of configuration files: defaults, arguments after the colon, smoke runs."""

from collections.abc import Hashable, Mapping
from typing import Any

import ml_collections

from vidjax.run.defaults import defaults
from vidjax.terminal import complain
from vidjax.untrusted_names import nearest

# Multigrid as in the thesis and its code, and as in its paper (Wu et al. 2020).
MULTIGRID = {
    "thesis": {"over": "epoch", "both": "capped", "anchor": "largest", "time": "picks"},
    "official": {"over": "stage", "both": "capped", "anchor": "default", "time": "rate"},
}
# Old names of arguments, which still work.
_RENAMED = {"form": "variant"}


def published(config: ml_collections.ConfigDict, name: str, **options: int) -> None:
    """Sets a published data set in the folder `videos/NAME`; see `vidjax prepare --describe`."""
    config.data.update({"name": name, "manual_dir": f"videos/{name}", "options": options})


def multigrid(config: ml_collections.ConfigDict, name: str) -> float:
    """Sets the multigrid `thesis`, `official` or `none`; returns the factor for all epochs."""
    settings = choose(MULTIGRID | {"none": {}}, name, "multigrid")
    config.multigrid.update({"cycle": "both" if settings else "none"} | settings)
    return 1.5 if name == "official" else 1.0


def base() -> ml_collections.ConfigDict:
    """Returns the complete configuration with all defaults."""
    return defaults()


def parse(argument: str | None, **defaults: bool | int | float | str) -> ml_collections.ConfigDict:
    """Parses the arguments of a configuration, as in `--config=NAME:key=value,...`.

    Args:
      argument: the text after the colon, or None.
      **defaults: the keys of this configuration with their defaults; a value gets the type of its
        default.

    Raises:
      ValueError: a key is unknown, or a value has the wrong type.

    Example:
      >>> parse("smoke=true,model=r3d_50", smoke=False, model="r3d_18").model
      'r3d_50'
    """
    values = dict(defaults)
    for part in filter(None, (argument or "").split(",")):
        key, _, text = part.partition("=")
        if _RENAMED.get(key) in defaults:
            complain(f"the config argument {key!r} is now called {_RENAMED[key]!r}")
            key = _RENAMED[key]
        if key not in defaults:
            raise ValueError(f"config argument {key!r} is unknown: {nearest(key, defaults)}")
        values[key] = _convert(key, text, defaults[key])
    return ml_collections.ConfigDict(values)


def _convert(key: str, text: str, default: bool | int | float | str) -> bool | int | float | str:
    if isinstance(default, bool):
        if text.lower() not in ("", "true", "false"):
            raise ValueError(f"config argument {key}={text!r}: must be true or false")
        return text.lower() != "false"
    try:
        return type(default)(text)
    except ValueError:
        raise ValueError(
            f"config argument {key}={text!r}: must be of type {type(default).__name__}"
        ) from None


def choose(choices: Mapping[Any, Any], value: Hashable, what: str) -> Any:
    """Looks up the value of an argument; ValueError lists the allowed values."""
    if value not in choices:
        raise ValueError(f"{what} = {value!r}: must be one of {', '.join(map(str, choices))}")
    return choices[value]


def smoke(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Shrinks a configuration to about two CPU minutes, on the generated data set."""
    config.data.name = "marionette"
    config.data.options = {"train_per_class": 4, "test_per_class": 2, "seed": 0}
    config.data.short_side = 64
    config.data.fps = None
    config.model.options.width = 8
    config.clip.update({"frames": 8, "stride": 4, "size": 48})
    config.augment.short_side = 0
    config.train.update({"duration": "12 steps", "batch_size": 8, "accumulate": 1})
    config.optimizer.reference_batch = 0
    config.multigrid.cycle = "none"
    config.every.update({"log": "2 steps", "checkpoint": "6 steps", "evaluate": "12 steps"})
    config.eval.update({"clips": 1, "crops": 1, "size": 48, "batch_size": 8, "split": "test"})
    config.eval.short_side = 0
    return config
