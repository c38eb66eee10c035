"""A URL that reads like a `pathlib.Path`."""

from __future__ import annotations

import contextlib
import fnmatch
import io
import os
import stat as modes
from collections.abc import Iterator
from typing import IO, Any

from etils.epath.gpath import PosixGPath

from vidjax.storage import buckets
from vidjax.storage.buckets import bucket_errors

_BUFFER = 1 << 20


class UrlPath(PosixGPath):
    """An object or folder in a bucket, with the methods of `pathlib.Path` that vidjax uses.

    It can only be read. All writing goes through `vidjax.storage.writing`. There are no links, and
    a folder exists as long as it contains an object.
    """

    @property
    def _fs(self) -> Any:
        return buckets.file_system(str(self))

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Returns whether there is an object or a folder."""
        del follow_symlinks
        return self.is_file() or self.is_dir()

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Returns whether there is an object."""
        del follow_symlinks
        return buckets.facts(str(self)) is not None

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Returns whether there are objects below."""
        del follow_symlinks
        return buckets.is_folder(str(self))

    def is_symlink(self) -> bool:
        """Returns False: a bucket has no links."""
        return False

    def absolute(self) -> UrlPath:
        """Returns itself."""
        return self

    def resolve(self, strict: bool = False) -> UrlPath:
        """Returns itself."""
        del strict
        return self

    def expanduser(self) -> UrlPath:
        """Returns itself."""
        return self

    def is_absolute(self) -> bool:
        """Returns whether the path contains a bucket; relative paths do not."""
        return self._uri_scheme is not None

    def samefile(self, other: str | os.PathLike[str]) -> bool:
        """Returns whether another path is the same URL."""
        return str(self) == os.fspath(other).rstrip("/")

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Returns the size in bytes and the modification time by the store's clock.

        Raises:
          FileNotFoundError: there is no object or folder.
        """
        del follow_symlinks
        with bucket_errors(self):
            found = self._fs.info(str(self))
        folder = found.get("type") == "directory"
        changed = found.get("mtime") or found.get("LastModified")
        seconds = changed.timestamp() if hasattr(changed, "timestamp") else 0
        mode = (modes.S_IFDIR if folder else modes.S_IFREG) | 0o644
        return os.stat_result((mode, 0, 0, 1, 0, 0, found.get("size") or 0, *[seconds] * 3))

    lstat = stat

    def iterdir(self) -> Iterator[UrlPath]:
        """Yields the objects and folders in a folder.

        Raises:
          FileNotFoundError: there is no such folder.
        """
        with bucket_errors(self):
            found = self._fs.ls(str(self), detail=False)
        own = str(self).split("://", 1)[1].rstrip("/")
        # Some tools create an empty object for a folder.
        names = {name.rstrip("/") for name in found} - {own}
        for name in sorted(names):
            yield self / name.rsplit("/", 1)[1]

    def glob(self, pattern: str) -> Iterator[UrlPath]:
        """Yields the paths in a folder that match a pattern; `**/` searches all folders below."""
        deep = pattern.startswith("**/")
        wanted = pattern.removeprefix("**/").split("/")
        if not deep and len(wanted) > 1:
            for folder in self.glob(wanted[0]):
                yield from folder.glob("/".join(wanted[1:]))
            return
        with contextlib.suppress(FileNotFoundError):
            for path in self._below() if deep else self.iterdir():
                there = path.relative_to(self).parts[-len(wanted) :]
                if len(there) == len(wanted) and all(map(fnmatch.fnmatchcase, there, wanted)):
                    yield path

    def rglob(self, pattern: str) -> Iterator[UrlPath]:
        """Yields the paths in a folder and all folders below it that match a pattern."""
        return self.glob(f"**/{pattern}")

    def walk(
        self, top_down: bool = True, on_error: Any = None, follow_symlinks: bool = False
    ) -> Iterator[tuple[UrlPath, list[str], list[str]]]:
        """Walks the folders below with the names of their contents, one request per folder."""
        del top_down, on_error, follow_symlinks
        with bucket_errors(self):
            for root, folders, files in self._fs.walk(str(self)):
                place = type(self)(f"{self._uri_scheme}://{root}")
                own = place.name
                yield place, folders, [name for name in files if name and name != own]

    def _below(self) -> Iterator[UrlPath]:
        """Yields every object below, from one listing."""
        with bucket_errors(self):
            found = self._fs.find(str(self))
        for name in sorted(found):
            yield type(self)(f"{self._uri_scheme}://{name}")

    def open(
        self,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """Opens the object for reading.

        Raises:
          FileNotFoundError: there is no object.
          ValueError: the mode is for writing, which `vidjax.storage.writing` does.
        """
        del buffering
        if mode not in ("r", "rt", "rb"):
            raise ValueError(f"{self}: use vidjax.storage.writing to write objects")
        if mode != "rb":
            stream = io.BytesIO(self.read_bytes())
            return io.TextIOWrapper(stream, encoding or "utf-8", errors, newline)
        with bucket_errors(self):
            return io.BufferedReader(self._fs.open(str(self), "rb"), _BUFFER)

    def read_bytes(self) -> bytes:
        """Reads the object's content.

        Raises:
          FileNotFoundError: there is no object.
        """
        with bucket_errors(self):
            content: bytes = self._fs.cat_file(str(self))
        return content

    def read_text(
        self, encoding: str | None = None, errors: str | None = None, newline: str | None = None
    ) -> str:
        """Reads the object's content as text.

        Raises:
          FileNotFoundError: there is no object.
        """
        with self.open("r", encoding=encoding, errors=errors, newline=newline) as stream:
            return str(stream.read())

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Does nothing: a folder exists as soon as it contains an object."""

    def unlink(self, missing_ok: bool = False) -> None:
        """Removes the object.

        Raises:
          FileNotFoundError: there is no object, and `missing_ok` is False.
        """
        if not missing_ok and not self.is_file():
            raise FileNotFoundError(str(self))
        buckets.remove(str(self))

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise ValueError(f"{self}: only vidjax.storage may write and move objects")

    rename = replace = touch = write_bytes = write_text = rmtree = rmdir = copy = _refuse
