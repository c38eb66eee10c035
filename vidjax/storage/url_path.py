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
from vidjax.storage.buckets import telling

_BUFFER = 1 << 20


class UrlPath(PosixGPath):
    """An object or a folder of a bucket, with what vidjax asks of a `pathlib.Path`.

    It reads. Everything is written through `vidjax.storage.writing`. There are no links, and a
    folder is there as long as something is in it.
    """

    @property
    def _fs(self) -> Any:
        return buckets.file_system(str(self))

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Whether an object or a folder is there."""
        del follow_symlinks
        return self.is_file() or self.is_dir()

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Whether an object is there."""
        del follow_symlinks
        return buckets.facts(str(self)) is not None

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Whether objects lie below."""
        del follow_symlinks
        return buckets.is_folder(str(self))

    def is_symlink(self) -> bool:
        """Never: a bucket has no links."""
        return False

    def absolute(self) -> UrlPath:
        """Itself."""
        return self

    def resolve(self, strict: bool = False) -> UrlPath:
        """Itself."""
        del strict
        return self

    def expanduser(self) -> UrlPath:
        """Itself."""
        return self

    def is_absolute(self) -> bool:
        """Whether it has a bucket, as paths relative to one do not."""
        return self._uri_scheme is not None

    def samefile(self, other: str | os.PathLike[str]) -> bool:
        """Whether another path is the same URL."""
        return str(self) == os.fspath(other).rstrip("/")

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Size in bytes, and seconds since 1970 of its last change by the store's clock.

        Raises:
          FileNotFoundError: nothing is there.
        """
        del follow_symlinks
        with telling(self):
            found = self._fs.info(str(self))
        folder = found.get("type") == "directory"
        changed = found.get("mtime") or found.get("LastModified")
        seconds = changed.timestamp() if hasattr(changed, "timestamp") else 0
        mode = (modes.S_IFDIR if folder else modes.S_IFREG) | 0o644
        return os.stat_result((mode, 0, 0, 1, 0, 0, found.get("size") or 0, *[seconds] * 3))

    lstat = stat

    def iterdir(self) -> Iterator[UrlPath]:
        """What lies in a folder.

        Raises:
          FileNotFoundError: nothing does.
        """
        with telling(self):
            found = self._fs.ls(str(self), detail=False)
        own = str(self).split("://", 1)[1].rstrip("/")
        # Some tools put an empty object in the place of a folder.
        names = {name.rstrip("/") for name in found} - {own}
        for name in sorted(names):
            yield self / name.rsplit("/", 1)[1]

    def glob(self, pattern: str) -> Iterator[UrlPath]:
        """What in a folder has a name of the pattern; `**/` looks into all folders below."""
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
        """What in a folder and all below it has a name of the pattern."""
        return self.glob(f"**/{pattern}")

    def walk(
        self, top_down: bool = True, on_error: Any = None, follow_symlinks: bool = False
    ) -> Iterator[tuple[UrlPath, list[str], list[str]]]:
        """Folders below with the names of what is in them, one request a folder."""
        del top_down, on_error, follow_symlinks
        with telling(self):
            for root, folders, files in self._fs.walk(str(self)):
                place = type(self)(f"{self._uri_scheme}://{root}")
                own = place.name
                yield place, folders, [name for name in files if name and name != own]

    def _below(self) -> Iterator[UrlPath]:
        """Every object below, in one listing."""
        with telling(self):
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
        """A stream to read.

        Raises:
          FileNotFoundError: no object is there.
          ValueError: it is to be written; `vidjax.storage.writing` does that.
        """
        del buffering
        if mode not in ("r", "rt", "rb"):
            raise ValueError(f"{self}: objects are written by vidjax.storage.writing")
        if mode != "rb":
            stream = io.BytesIO(self.read_bytes())
            return io.TextIOWrapper(stream, encoding or "utf-8", errors, newline)
        with telling(self):
            return io.BufferedReader(self._fs.open(str(self), "rb"), _BUFFER)

    def read_bytes(self) -> bytes:
        """The object's content.

        Raises:
          FileNotFoundError: no object is there.
        """
        with telling(self):
            content: bytes = self._fs.cat_file(str(self))
        return content

    def read_text(
        self, encoding: str | None = None, errors: str | None = None, newline: str | None = None
    ) -> str:
        """The object's content as text.

        Raises:
          FileNotFoundError: no object is there.
        """
        with self.open("r", encoding=encoding, errors=errors, newline=newline) as stream:
            return str(stream.read())

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Does nothing: a folder is there with its first object."""

    def unlink(self, missing_ok: bool = False) -> None:
        """Removes the object.

        Raises:
          FileNotFoundError: none is there, unless `missing_ok`.
        """
        if not missing_ok and not self.is_file():
            raise FileNotFoundError(str(self))
        buckets.remove(str(self))

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise ValueError(f"{self}: objects are written and moved by vidjax.storage alone")

    rename = replace = touch = write_bytes = write_text = rmtree = rmdir = copy = _refuse
