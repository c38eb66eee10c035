"""Reads the small metadata files of a prepared data set with few requests.

Every request to a bucket has some latency. Opening a data set in a bucket takes the latency of two
requests: one lists the files, and one reads all small files concurrently.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vidjax.data.dataset_errors import damaged
from vidjax.storage.file_info import FileInfo, files_in
from vidjax.storage.paths import is_url

# Far above the files of a million videos, and far below the memory of a machine.
_LARGEST = 64 * 2**20
# Only smaller objects with these suffixes are read in advance.
_SMALL, _DESCRIBING = 2**20, (".json", ".txt")


class MetadataFiles:
    """The files of a data set's folder.

    Args:
      folder: folder of the data set; it may be missing.

    Raises:
      OSError: the folder cannot be listed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.there: Mapping[str, FileInfo] = {}
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            self.there = files_in(folder)

    def read(self, name: str) -> bytes:
        """Reads a file.

        Raises:
          DamagedError: the file is missing, or larger than any that vidjax or TFDS writes.
          OSError: the file cannot be read.
        """
        if name not in self.there:
            raise damaged(self.folder, f"{name} is missing")
        if self.there[name].size > _LARGEST:
            raise damaged(self.folder, f"{name} is larger than {_LARGEST >> 20} MiB")
        if name in self._ahead:
            return self._ahead[name]
        with (self.folder / name).open("rb") as stream:
            return stream.read(_LARGEST)

    @functools.cached_property
    def _ahead(self) -> Mapping[str, bytes]:
        """The contents of all metadata files of a data set in a bucket, by name."""
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
