"""Groups of free settings that a command line sets a part of: they are made where they are absent.

`--config.augment.also.random_erasing.chance=0.25` needs a group `random_erasing`, and
ml_collections sets parts of groups that are there alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from absl import flags
from ml_collections import ConfigDict

from vidjax.run.config import is_free


class Parser(flags.ArgumentParser):
    """Parses a configuration file, and makes the groups.

    Args:
      inner: parses the file.
      paths: of the settings that the command line gives.
    """

    def __init__(self, inner: flags.ArgumentParser, paths: Iterable[str]) -> None:
        super().__init__()
        self._inner, self._paths = inner, tuple(paths)
        # What ml_collections reads of a parser.
        self.name = inner.name

    def parse(self, argument: Any) -> ConfigDict:
        """The configuration of a file."""
        return with_groups(self._inner.parse(argument), self._paths)

    def flag_type(self) -> str:
        """What help texts call it."""
        return str(self._inner.flag_type())


def with_groups(config: ConfigDict, paths: Iterable[str]) -> ConfigDict:
    """The configuration, in which all that paths lead through are groups, as far as it is free.

    Args:
      config: to be changed.
      paths: of settings, such as `augment.also.random_erasing.chance`.
    """
    for path in paths:
        here: Any = config
        for parent, name in _steps(path):
            if name not in here and is_free(parent):
                here[name] = ConfigDict()
            here = here.get(name)
            # A mistake, which whoever sets the value tells.
            if not isinstance(here, ConfigDict):
                break
    return config


def _steps(path: str) -> Iterator[tuple[str, str]]:
    """The groups that a path leads through, each as the path of its parent and its name."""
    names = path.split(".")[:-1]
    for depth, name in enumerate(names):
        yield ".".join(names[:depth]), name
