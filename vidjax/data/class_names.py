"""Classes are matched by name: a data set's label means what its name says to the network."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from vidjax.data.prepared import Record, VideoSource

_SHOWN = 5


def places(found: Sequence[str], known: Sequence[str]) -> np.ndarray | None:
    """For each class found, its number among those that a network knows, int64 `[len(found)]`.

    None where the network does not know one of them.
    """
    number = {name: index for index, name in enumerate(known)}
    if not number.keys() >= set(found):
        return None
    return np.array([number[name] for name in found], np.int64)


def differences(found: Sequence[str], known: Sequence[str]) -> str:
    """Which classes stand in one list alone, in words."""
    parts = (
        f"{len(only)} only {where}: {_listed(only)}"
        for where, only in (
            ("in the data set", sorted(set(found) - set(known))),
            ("in the network", sorted(set(known) - set(found))),
        )
        if only
    )
    return "; ".join(parts)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more


class RenumberedSplit:
    """A split whose labels are a network's class numbers, found by name.

    Args:
      source: the split.
      classes: of the network; they include those of the split.
    """

    def __init__(self, source: VideoSource, classes: Sequence[str]) -> None:
        numbers = places(source.classes, classes)
        if numbers is None:
            raise ValueError(f"classes differ: {differences(source.classes, classes)}")
        self.classes = tuple(classes)
        self.manifest_digest = source.manifest_digest
        self.broken: Sequence[Mapping[str, str]] = source.broken
        self._source, self._numbers = source, numbers

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> Record:
        record = self._source[index]
        return dataclasses.replace(record, label=int(self._numbers[record.label]))

    def __repr__(self) -> str:
        """Names the content, as that of the split does: grain compares it when a run resumes."""
        return f"{self._source!r} in the network's order of classes"
