"""Writes files atomically and never through a symbolic link. All writing goes through this module.

On a disk, a file is written under an unguessable new name and renamed when it is complete. A killed
process leaves the old file, and at most a `.part` file beside it. A symbolic link in the place of a
file is refused, because somebody else may have created it, and it may point anywhere.

An object of a bucket is first written to a local file, and then uploaded at once.
"""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from vidjax.storage import buckets, leases
from vidjax.storage.bucket_append import AppendStream
from vidjax.storage.paths import is_url

PART = ".part"
# Age in seconds of an unfinished file after which nobody can still be writing it.
_ABANDONED = 24 * 3600.0
_LONGEST = 150
_NEW = os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class LinkError(ValueError):
    """A symbolic link is in the place of a file to be written."""


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Opens a context with a temporary path that replaces `file` if the context ends without error.

    It is for libraries that write to paths; otherwise use `writing` or `writing_bytes`. The
    temporary file exists and is empty. After an error it is removed.

    Raises:
      LinkError: `file` is a symbolic link.
      OSError: the folder cannot be written.
    """
    if is_url(file):
        with _to_upload(file) as unfinished:
            yield unfinished
            _upload(unfinished, str(file))
        return
    refuse_link(file)
    unfinished = file.with_name(f"{file.name[:_LONGEST]}.{secrets.token_hex(8)}{PART}")
    try:
        os.close(os.open(unfinished, os.O_WRONLY | _NEW, 0o666))
        yield unfinished
        unfinished.replace(file)
    except BaseException as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        # An error without a number has a complete message already.
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(file)
        raise


def _upload(unfinished: Path, url: str) -> None:
    """Uploads a file to an object, unless another process has taken over the folder.

    Raises:
      BucketError: the object cannot be written.
    """
    if not leases.holds_lease(url):
        buckets.upload(unfinished, url)
        return
    # If another process takes over after the version was read, its writes change the version, and
    # the conditional write fails.
    version = buckets.version(url)
    leases.check_lease(url)
    try:
        buckets.write(url, unfinished.read_bytes(), over=version)
    except FileExistsError:
        leases.check_lease(url, doubtful=True)
        raise buckets.BucketError(
            f"{url}: another process has written to it; nothing was overwritten. Let only one "
            "process work there"
        ) from None


@contextlib.contextmanager
def _to_upload(file: Path) -> Iterator[Path]:
    """Opens a context with an empty local file, which is removed when the context ends."""
    with tempfile.TemporaryDirectory(prefix="vidjax-") as folder:
        unfinished = Path(folder) / f"{file.name[:_LONGEST]}{PART}"
        unfinished.touch()
        yield unfinished


@contextlib.contextmanager
def writing(file: Path) -> Iterator[IO[str]]:
    """Opens a text file for writing, which appears if the context ends without error.

    The encoding is UTF-8. File names may contain bytes that are not text; they are written as is.

    Raises:
      LinkError: `file` is a symbolic link.
      OSError: the folder cannot be written.
    """
    with (
        replacing(file) as unfinished,
        unfinished.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        yield stream


@contextlib.contextmanager
def writing_bytes(file: Path) -> Iterator[IO[bytes]]:
    """Opens a seekable binary file for writing, which appears if the context ends without error.

    Raises:
      LinkError: `file` is a symbolic link.
      OSError: the folder cannot be written.
    """
    with replacing(file) as unfinished, unfinished.open("w+b") as stream:
        yield stream


def write_text(file: Path, text: str, *, durable: bool = False) -> None:
    """Writes a whole text file.

    Args:
      file: file to write.
      text: content of the file.
      durable: wait until the data is on the disk, so that it survives a crash of the machine.

    Raises:
      LinkError: `file` is a symbolic link.
      OSError: the file cannot be written.
    """
    with writing(file) as stream:
        stream.write(text)
        # A bucket has the object when `writing` returns.
        if durable and not is_url(file):
            stream.flush()
            os.fsync(stream.fileno())


def write_bytes(file: Path, data: bytes | bytearray | memoryview) -> None:
    """Writes a whole binary file.

    Raises:
      LinkError: `file` is a symbolic link.
      OSError: the file cannot be written.
    """
    with writing_bytes(file) as stream:
        stream.write(data)


@contextlib.contextmanager
def new(file: Path) -> Iterator[IO[str]]:
    """Opens a new text file for writing, which must not exist yet.

    Raises:
      FileExistsError: the file exists.
      OSError: the file cannot be written.
    """
    if is_url(file):
        refuse_there(file)
        with io.StringIO(newline="") as lines:
            yield lines
            buckets.write(str(file), lines.getvalue().encode(), over=None)
        return
    descriptor = os.open(file, os.O_WRONLY | _NEW, 0o666)
    with open(descriptor, "w", newline="", encoding="utf-8") as stream:
        yield stream


def unfinished(file: Path) -> Path:
    """Returns the temporary path of a file that `line_by_line` is writing."""
    return file.with_name(f"{file.stem[:_LONGEST]}.unfinished{file.suffix}")


@contextlib.contextmanager
def line_by_line(file: Path) -> Iterator[IO[str]]:
    """Opens a text file that takes long to write; it gets its name when it is complete.

    Until then, and after an error, the lines are in `unfinished(file)`. An empty file is removed.

    Raises:
      FileExistsError: the file exists, or is created by somebody else in the meantime.
      OSError: the file cannot be written.
    """
    part = unfinished(file)
    for each in (file, part):
        refuse_there(each)
    if is_url(file):
        with _object_line_by_line(file, part) as stream:
            yield stream
        return
    try:
        with new(part) as stream:
            yield stream
        refuse_there(file)
        part.rename(file)
    except BaseException:
        with contextlib.suppress(OSError):
            if not part.lstat().st_size:
                part.unlink()
        raise


@contextlib.contextmanager
def _object_line_by_line(file: Path, part: Path) -> Iterator[IO[str]]:
    lines = AppendStream(str(part))
    try:
        yield lines
        lines.close()
        content = part.read_bytes()
        buckets.write(str(file), content, over=None)
        part.unlink(missing_ok=True)
    finally:
        lines.close()


def refuse_there(path: Path) -> None:
    """Refuses to write to a path that exists.

    Raises:
      FileExistsError: names the path.
    """
    if is_there(path):
        raise FileExistsError(f"{path} exists already; choose another, or remove it")


def is_there(path: Path) -> bool:
    """Returns whether a path is a file, a folder, or a link, even a broken one."""
    return path.exists() if is_url(path) else os.path.lexists(path)


def appending(file: Path) -> io.TextIOWrapper:
    """Opens a text file for appending. The caller closes it.

    In a bucket, lines appear within seconds, and at the latest after `sync`.

    Raises:
      LinkError: `file` is a symbolic link.
      OSError: the file cannot be written.
    """
    if is_url(file):
        return AppendStream(str(file))
    refuse_link(file)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    return open(os.open(file, flags, 0o666), "a", newline="", encoding="utf-8")


def sync(stream: io.TextIOWrapper) -> None:
    """Saves the lines of an `appending` stream, so that they survive if the process is killed.

    Raises:
      OSError: the lines cannot be written.
    """
    if isinstance(stream, AppendStream):
        stream.sync()
    else:
        stream.flush()


@contextlib.contextmanager
def growing(file: Path) -> Iterator[IO[bytes]]:
    """Opens a binary file that is written in several steps, such as a download.

    The stream is positioned at the end. The file stays after an error, so its name should mark it
    as unfinished, for example by `.part`. It must be on a disk, since objects cannot be modified.

    Raises:
      LinkError: `file` is a symbolic link.
      OSError: the file cannot be written.
    """
    refuse_link(file)
    flags = os.O_RDWR | os.O_CREAT
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(file, flags, 0o666), "r+b") as stream:
        stream.seek(0, io.SEEK_END)
        yield stream


def finish(part: Path, file: Path) -> None:
    """Syncs a `growing` file to the disk and renames it to its final name.

    Raises:
      LinkError: `file` is a symbolic link.
      OSError: the file cannot be written.
    """
    refuse_link(file)
    with growing(part) as stream:
        os.fsync(stream.fileno())
    part.replace(file)


def move(file: Path, to: Path) -> None:
    """Renames a file within its folder, replacing an existing file.

    Raises:
      FileNotFoundError: the file does not exist.
      OSError: the file cannot be renamed.
    """
    if is_url(file):
        leases.check_lease(str(to))
        buckets.write(str(to), file.read_bytes())
        file.unlink()
    else:
        file.replace(to)


def make_folder(folder: Path, within: Path | None = None) -> Path:
    """Creates a folder and its parents, if they do not exist.

    Args:
      folder: folder to create.
      within: a parent folder chosen by the user, such as that of a run. No part of the path below
        it may be a symbolic link, which could point anywhere.

    Returns:
      The folder.

    Raises:
      LinkError: a part of the path below `within` is a symbolic link.
      OSError: the folder cannot be created.
    """
    if within is not None:
        parts = folder.relative_to(within).parts
        if ".." in parts:
            raise LinkError(f"{folder} is not below {within}")
        for count in range(1, len(parts) + 1):
            refuse_link(within.joinpath(*parts[:count]))
    # In a bucket, a folder exists as soon as it contains an object.
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def refuse_link(path: Path) -> None:
    """Refuses to write to a symbolic link.

    Raises:
      LinkError: names the link and its target.
    """
    if path.is_symlink():
        raise LinkError(
            f"{path} is a symbolic link to {os.readlink(path)}, and vidjax does not write through "
            "links: remove it, or replace it by its target"
        )


def check_writable(folder: Path) -> None:
    """Checks that a folder is writable by writing and removing an empty file.

    Raises:
      OSError: the folder cannot be written.
    """
    if is_url(folder):
        probe = str(folder / f".writable-{secrets.token_hex(8)}{PART}")
        buckets.write(probe, b"", over=None)
        buckets.remove(probe)
        return
    with tempfile.TemporaryFile(dir=folder):
        pass


def remove_unfinished(folder: Path, *, owned: bool = False) -> None:
    """Removes unfinished files of killed processes from a folder on a disk.

    Args:
      folder: folder to clean up.
      owned: whether no other process writes there. If False, only files that have not been touched
        for a day are removed.
    """
    if is_url(folder):
        return
    for part in folder.glob(f"*{PART}"):
        # Another process may remove it at the same time, or its owner may complete it.
        with contextlib.suppress(OSError):
            if part.is_file() and (owned or time.time() - part.lstat().st_mtime > _ABANDONED):
                part.unlink()
