"""The small files of a prepared data set: what is there is asked once, and each is read once.

A bucket answers after a while, whatever it is asked. Opening a data set there takes two such
whiles: one for the list of its files, and one for all small ones together.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vidjax.data.dataset_errors import damaged
from vidjax.storage.file_info import Facts, files_in
from vidjax.storage.paths import is_url

# Far above what a million videos take, and far below what fills a machine's memory.
_LARGEST = 64 * 2**20
# Objects that are larger, or other than descriptions, are fetched when they are asked for.
_SMALL, _DESCRIBING = 2**20, (".json", ".txt")


class SmallFiles:
    """The files of a data set's folder.

    Args:
      folder: of the data set; it need not be there.

    Raises:
      OSError: it cannot be listed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.there: Mapping[str, Facts] = {}
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            self.there = files_in(folder)

    def read(self, name: str) -> bytes:
        """What a file holds.

        Raises:
          DamagedError: it is absent, no file, or larger than any that vidjax or TFDS writes.
          OSError: it cannot be read.
        """
        if name not in self.there:
            raise damaged(self.folder, f"{name} is absent")
        if self.there[name].size > _LARGEST:
            raise damaged(self.folder, f"{name} is larger than {_LARGEST >> 20} MiB")
        if name in self._ahead:
            return self._ahead[name]
        with (self.folder / name).open("rb") as stream:
            return stream.read(_LARGEST)

    @functools.cached_property
    def _ahead(self) -> Mapping[str, bytes]:
        """In a bucket, all that describes the data set."""
        if not is_url(self.folder):
            return {}
        names = [
            name
            for name, stored in self.there.items()
            if name.endswith(_DESCRIBING) and stored.size <= _SMALL
        ]
        with ThreadPoolExecutor(16) as pool:
            contents = pool.map(lambda name: (self.folder / name).read_bytes(), names)
            return dict(zip(names, contents, strict=True))
