"""Names of classes as a text file, one a line, in the order of a network's outputs."""

from __future__ import annotations

import collections
from pathlib import Path

from vidjax.data import labels, tables
from vidjax.names import flaw
from vidjax.settings import shown


def read_class_list(file: Path, count: int) -> tuple[str, ...]:
    """Reads the names of `count` classes.

    Empty lines at the end do not count.

    Raises:
      ValueError: there are more or fewer names, one is empty or there twice, or the file is not
        UTF-8; names the file.
      OSError: it cannot be read.
    """
    names = [labels.normal(line) for line in tables.text(file).rstrip().splitlines()]
    if len(names) != count:
        raise ValueError(f"{file} has {len(names)} names, one a line; the network has {count}")
    for line, name in enumerate(names, start=1):
        if not name or flaw(name):
            raise ValueError(f"{file}, line {line}: the name {flaw(name) or 'is empty'}")
    name, times = collections.Counter(names).most_common(1)[0]
    if times > 1:
        raise ValueError(f"{file} has the name {shown(name)} {times} times; each class has its own")
    return tuple(names)
