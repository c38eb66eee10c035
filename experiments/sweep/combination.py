"""One combination of settings of a sweep: its configuration and its name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ml_collections import ConfigDict

from vidjax.run.config import Config, ConfigError, from_mapping, to_mapping
from vidjax.untrusted_names import file_name

from ..config_overrides import overridden
from .axes import short_names

# Settings that the sweep sets itself, and their flags.
_OF_FLAGS = {"seed": "--seeds", "eval.split": "--split"}
# Value of a setting that the configuration lacks, such as an option of the network.
ABSENT = "not set"


@dataclass(frozen=True)
class Combination:
    """One combination of settings.

    Attributes:
      settings: texts by path.
      config: the configuration, with the first seed.
      label: such as `trial 7`; empty if the settings are enough.
    """

    settings: Mapping[str, str]
    config: Config
    label: str = ""

    @property
    def name(self) -> str:
        """Such as `lr=0.1, train.batch_size=8`."""
        short = short_names(list(self.settings))
        parts = [f"{short[path]}={text}" for path, text in self.settings.items()]
        return ", ".join([self.label, *parts] if self.label else parts)

    @property
    def folder(self) -> str:
        """Such as `lr=0.1,train.batch_size=8`."""
        return file_name(self.name.replace(", ", ","))

    def value(self, path: str) -> Any:
        """Returns the value of a setting."""
        found: Any = to_mapping(self.config)
        for part in path.split("."):
            found = found.get(part, ABSENT) if isinstance(found, Mapping) else ABSENT
        return found


def combined(
    base: ConfigDict, settings: Sequence[Mapping[str, str]], split: str
) -> list[Combination]:
    """Builds and checks all combinations.

    Args:
      base: the configuration without the settings.
      settings: texts by path, for each combination.
      split: split to evaluate.

    Raises:
      ConfigError: a setting is unknown or has its own flag, a value is not allowed, or two
        combinations are the same.
    """
    found: dict[str, Combination] = {}
    for each in settings:
        one = combine(base, each, split)
        key = repr(one.config)
        if key in found:
            raise ConfigError(f"{found[key].name} and {one.name} are the same; leave one out")
        found[key] = one
    return list(found.values())


def combine(
    base: ConfigDict, settings: Mapping[str, str], split: str, label: str = ""
) -> Combination:
    """Builds one combination; see `combined`."""
    for path, flag in _OF_FLAGS.items():
        if path in settings:
            raise ConfigError(f"{path} cannot be varied like other settings; use {flag}")
    config = from_mapping(overridden(base, settings))
    own = dataclasses.replace(config, eval=dataclasses.replace(config.eval, split=split))
    return Combination(settings, own, label)
