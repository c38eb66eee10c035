"""Lists every setting of a run: its type, its default and its meaning.

Meanings come from the docstrings in `config.py` and beside the classes of clips, augmentation and
multigrid. Allowed values come from `setting_ranges.py` and the tables there.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vidjax.data import multigrid, pipeline
from vidjax.docstrings import meanings
from vidjax.run.config import Config
from vidjax.run.defaults import defaults
from vidjax.run.setting_ranges import ALLOWED
from vidjax.settings import Kind

TABLES: Mapping[str, Mapping[str, Kind]] = {
    **ALLOWED,
    "clip": pipeline.CLIP,
    "augment": pipeline.AUGMENT,
    "multigrid": multigrid.SETTINGS,
}


@dataclass(frozen=True)
class Setting:
    """A setting of a run.

    Attributes:
      path: path of the setting, such as `optimizer.lr`.
      allowed: allowed values, such as `a number in [0, 1]`; empty if something else defines them,
        as a network defines its options.
      default: default value.
      meaning: a short description.
    """

    path: str
    allowed: str
    default: Any
    meaning: str


def settings(values: Mapping[str, Any] | None = None) -> list[Setting]:
    """Lists all settings, in the order of their groups.

    Args:
      values: a complete configuration whose values are shown as defaults; None is `defaults()`.
    """
    shown = defaults().to_dict() if values is None else values
    return list(_listed(Config, shown, ""))


def _listed(kind: type, values: Mapping[str, Any], group: str) -> Iterator[Setting]:
    known, hints = meanings(kind), typing.get_type_hints(kind)
    # Settings outside of groups come first.
    for name in sorted(hints, key=lambda each: dataclasses.is_dataclass(hints[each])):
        if dataclasses.is_dataclass(hints[name]):
            yield from _listed(typing.cast(type, hints[name]), values[name], f"{name}.")
        else:
            allowed = TABLES[group.rstrip(".")].get(name)
            text = allowed.text if allowed else ""
            yield Setting(f"{group}{name}", text, values[name], known.get(name, ""))
