"""What lies in a folder: one look, or in a bucket one listing, instead of a question a file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidjax.storage import buckets
from vidjax.storage.paths import is_url


@dataclass(frozen=True)
class Stored:
    """A file or an object, as its folder tells of it.

    Attributes:
      size: in bytes.
      version: another one stands for another content.
      crc32c: the store's checksum of the content, as Cloud Storage writes it; empty where the store
        has none.
    """

    size: int
    version: str
    crc32c: str = ""


def files_in(folder: Path) -> dict[str, Stored]:
    """The files of a folder by name; those in folders below it are left out.

    Raises:
      FileNotFoundError: there is no such folder.
      OSError: it cannot be listed.
    """
    return _objects_in(str(folder)) if is_url(folder) else _files_in(folder)


def _files_in(folder: Path) -> dict[str, Stored]:
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file():
                facts = entry.stat()
                version = f"{facts.st_mtime_ns}-{facts.st_ino}"
                found[entry.name] = Stored(facts.st_size, version)
    return found


def _objects_in(url: str) -> dict[str, Stored]:
    with buckets.telling(url):
        entries = buckets.file_system(url).ls(url, detail=True)
    return {
        entry["name"].rsplit("/", 1)[1]: _stored(entry)
        for entry in entries
        if entry["type"] == "file" and not entry["name"].endswith("/")
    }


def _stored(entry: dict[str, Any]) -> Stored:
    version = entry.get("generation") or entry.get("ETag") or ""
    return Stored(int(entry["size"]), str(version).strip('"'), entry.get("crc32c") or "")
