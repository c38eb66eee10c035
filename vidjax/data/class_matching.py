"""Matches a data set's classes with a network's by name, never by index."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from vidjax.data.labels import normal
from vidjax.data.manifest import few
from vidjax.data.prepared import OF_SOME_SPLITS, VideoSource
from vidjax.data.record import Record
from vidjax.data.targets import is_multi_label

_UNCHANGED: Mapping[str, str] = MappingProxyType({})


class ClassesError(ValueError):
    """The classes of a data set do not match those of a network."""


class Relabelled:
    """A split with its labels converted to a network's class indices.

    Args:
      source: the split.
      classes: class names of the network, which must include every class of the split.
      mapping: the network's class name by label, for labels whose names differ.

    Raises:
      ClassesError: the network does not have a class of the split.
    """

    def __init__(
        self,
        source: VideoSource,
        classes: Sequence[str],
        mapping: Mapping[str, str] = _UNCHANGED,
    ) -> None:
        found = renamed(source.classes, mapping)
        require_known(found, classes)
        places = {normal(name): place for place, name in enumerate(classes)}
        self._source, self._places = source, [places[normal(name)] for name in found]
        self.classes, self.multi_label = tuple(classes), is_multi_label(source)
        self.manifest_digest, self.broken = source.manifest_digest, source.broken

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> Record:
        record = self._source[index]
        if isinstance(record.label, tuple):
            # Two labels may be one class of the network.
            several = tuple(sorted({self._places[place] for place in record.label}))
            return dataclasses.replace(record, label=several)
        # A damaged record may not know its label.
        label = self._places[record.label] if record.label >= 0 else record.label
        return dataclasses.replace(record, label=label)

    def __getattr__(self, name: str) -> Any:
        """Forwards the optional attributes of a split, such as shards."""
        if name in OF_SOME_SPLITS:
            return getattr(self._source, name)
        raise AttributeError(name)

    def labels(self) -> np.ndarray:
        """Returns the network's class index of each video, int `[N]`; -1 if it is unknown."""
        labels = self._source.labels()
        return np.where(labels >= 0, np.array(self._places)[labels], labels)

    def __repr__(self) -> str:
        """Returns the split's representation: grain compares it when a run resumes."""
        return repr(self._source)


def renamed(labels: Sequence[str], mapping: Mapping[str, str]) -> tuple[str, ...]:
    """Renames the labels of a data set by a mapping. Labels without an entry keep their names.

    >>> renamed(("walking", "run"), {"walking": "walk"})
    ('walk', 'run')

    Raises:
      ClassesError: the mapping contains a label that the data set does not have.
    """
    if absent := sorted(mapping.keys() - set(map(normal, labels))):
        raise ClassesError(
            f"the mapping contains {few(absent)}, which the data set does not have; it has "
            f"{few(sorted(labels))}"
        )
    return tuple(mapping.get(normal(label), label) for label in labels)


def require_known(
    found: Sequence[str], classes: Sequence[str], *, all_of_them: bool = False
) -> None:
    """Refuses a data set with classes that a network does not know.

    Args:
      found: class names of the data set.
      classes: class names of the network.
      all_of_them: also refuse a data set that lacks some of the network's classes.

    Raises:
      ClassesError: names the classes that either side lacks.
    """
    ours, theirs = set(map(normal, found)), set(map(normal, classes))
    unknown, lacking = sorted(ours - theirs), sorted(theirs - ours)
    if not unknown and not (lacking and all_of_them):
        return
    parts = [f"the network does not know {few(unknown)}"] * bool(unknown)
    parts += [f"the data set lacks {few(lacking)}"] * bool(lacking)
    raise ClassesError(
        f"the data set's {len(ours)} classes are not the {len(theirs)} that the network was "
        f"trained on: {', and '.join(parts)}. Classes are matched by name; rename those of the "
        "data set, map them (evaluate --label_map=FILE.csv), or train again"
    )
