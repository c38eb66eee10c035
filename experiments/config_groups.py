"""Creates the groups of settings that a command line sets a part of.

`--config.augment.also.random_erasing.chance=0.25` needs a group `random_erasing`. ml_collections
sets parts of existing groups only, so missing groups are created first. This works where a
configuration allows any settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from absl import flags
from ml_collections import ConfigDict

from vidjax.run.config import is_free


class Parser(flags.ArgumentParser):
    """Parses a configuration file and creates the groups.

    Args:
      inner: the parser of the file.
      paths: paths of the settings on the command line.
    """

    def __init__(self, inner: flags.ArgumentParser, paths: Iterable[str]) -> None:
        super().__init__()
        self._inner, self._paths = inner, tuple(paths)
        # ml_collections reads it.
        self.name = inner.name

    def parse(self, argument: Any) -> ConfigDict:
        """Returns the configuration of a file."""
        return with_groups(self._inner.parse(argument), self._paths)

    def flag_type(self) -> str:
        """Returns the name of the type, for help texts."""
        return str(self._inner.flag_type())


def with_groups(config: ConfigDict, paths: Iterable[str]) -> ConfigDict:
    """Creates the groups on the way to each path, where any settings are allowed.

    Args:
      config: the configuration, which is changed in place and returned.
      paths: paths of settings, such as `augment.also.random_erasing.chance`.
    """
    for path in paths:
        here: Any = config
        for parent, name in _steps(path):
            if name not in here and is_free(parent):
                here[name] = ConfigDict()
            here = here.get(name)
            # The path is wrong; setting its value raises the error.
            if not isinstance(here, ConfigDict):
                break
    return config


def _steps(path: str) -> Iterator[tuple[str, str]]:
    """Yields the groups on the way to a path, each as its parent's path and its name."""
    names = path.split(".")[:-1]
    for depth, name in enumerate(names):
        yield ".".join(names[:depth]), name
