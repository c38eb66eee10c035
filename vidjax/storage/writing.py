"""The one way in which files are written: whole or not at all, and never through a link.

On a disk a file is written under a name that nobody can guess, which is opened only if nothing has
it, and takes its place when it is complete. A process that is killed leaves the old file, and at
most a `.part` beside it. A link in the place of a file is refused: it may have been put there by
others, and point anywhere.

An object of a bucket is written into a file of this machine first, and uploaded in one go.
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
from vidjax.storage.bucket_append import GrowingObject
from vidjax.storage.paths import is_url

PART = ".part"
# Beyond any single file: what nobody has touched for so long, in seconds, nobody writes.
_ABANDONED = 24 * 3600.0
_LONGEST = 150
_NEW = os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class LinkError(ValueError):
    """A link stands where something would be written."""


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A path to write to that takes the place of `file` when the context ends without an error.

    For libraries that write to paths; others get a stream from `writing` or `writing_bytes`. The
    file is there, and empty. After an error it is removed.

    Raises:
      LinkError: `file` is a link.
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
        # One without a number says all that there is to say.
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(file)
        raise


def _upload(unfinished: Path, url: str) -> None:
    """Puts a file in the place of an object, unless the folder has another owner by now.

    Raises:
      BucketError: it cannot be written.
    """
    if not leases.holds(url):
        buckets.upload(unfinished, url)
        return
    # Nobody can have taken the folder over before the version was known, and what is written after
    # that is of another version.
    version = buckets.version(url)
    leases.assure(url)
    try:
        buckets.write(url, unfinished.read_bytes(), over=version)
    except FileExistsError:
        leases.assure(url, doubtful=True)
        raise buckets.BucketError(
            f"{url}: another process has written there since; nothing was overwritten. Let one "
            "process work there"
        ) from None


@contextlib.contextmanager
def _to_upload(file: Path) -> Iterator[Path]:
    """An empty file of this machine that goes when the context ends."""
    with tempfile.TemporaryDirectory(prefix="vidjax-") as folder:
        unfinished = Path(folder) / f"{file.name[:_LONGEST]}{PART}"
        unfinished.touch()
        yield unfinished


@contextlib.contextmanager
def writing(file: Path) -> Iterator[IO[str]]:
    """A text file, such as a table, that appears when the context ends without an error.

    It is UTF-8. Names of files are bytes, of which not all are text: they are written as they are.

    Raises:
      LinkError: `file` is a link.
      OSError: the folder cannot be written.
    """
    with (
        replacing(file) as unfinished,
        unfinished.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        yield stream


@contextlib.contextmanager
def writing_bytes(file: Path) -> Iterator[IO[bytes]]:
    """A file that appears when the context ends without an error; it can be sought.

    Raises:
      LinkError: `file` is a link.
      OSError: the folder cannot be written.
    """
    with replacing(file) as unfinished, unfinished.open("w+b") as stream:
        yield stream


def write_text(file: Path, text: str, *, durable: bool = False) -> None:
    """Writes a text file whole.

    Args:
      file: to be written.
      text: for it.
      durable: returns only when the disk has it, so that a machine that stops keeps it.

    Raises:
      LinkError: `file` is a link.
      OSError: it cannot be written.
    """
    with writing(file) as stream:
        stream.write(text)
        # Of a bucket: it has the object when `writing` returns.
        if durable and not is_url(file):
            stream.flush()
            os.fsync(stream.fileno())


def write_bytes(file: Path, data: bytes | bytearray | memoryview) -> None:
    """Writes a file whole.

    Raises:
      LinkError: `file` is a link.
      OSError: it cannot be written.
    """
    with writing_bytes(file) as stream:
        stream.write(data)


@contextlib.contextmanager
def new(file: Path) -> Iterator[IO[str]]:
    """A text file that is not there yet, and is written line by line.

    Raises:
      FileExistsError: something is there.
      OSError: it cannot be written.
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
    """Where `line_by_line` puts the lines of a file until it is complete."""
    return file.with_name(f"{file.stem[:_LONGEST]}.unfinished{file.suffix}")


@contextlib.contextmanager
def line_by_line(file: Path) -> Iterator[IO[str]]:
    """A text file that takes long: it gets its name when the context ends without an error.

    Until then, and after an error, what was written stands in `unfinished(file)`. Of nothing no
    file stays.

    Raises:
      FileExistsError: something is there, or comes while the lines are written.
      OSError: it cannot be written.
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
    lines = GrowingObject(str(part))
    try:
        yield lines
        lines.close()
        content = part.read_bytes()
        buckets.write(str(file), content, over=None)
        part.unlink(missing_ok=True)
    finally:
        lines.close()


def refuse_there(path: Path) -> None:
    """Refuses to write where something is.

    Raises:
      FileExistsError: names it.
    """
    if is_there(path):
        raise FileExistsError(f"{path} is there already; name another, or remove it")


def is_there(path: Path) -> bool:
    """Whether a file, a folder or a link, also one that leads nowhere, has a name."""
    return path.exists() if is_url(path) else os.path.lexists(path)


def appending(file: Path) -> io.TextIOWrapper:
    """A text file that grows at its end, to be closed by the caller.

    In a bucket its lines are seen within seconds, and certainly after `sync`.

    Raises:
      LinkError: `file` is a link.
      OSError: it cannot be written.
    """
    if is_url(file):
        return GrowingObject(str(file))
    refuse_link(file)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    return open(os.open(file, flags, 0o666), "a", newline="", encoding="utf-8")


def sync(stream: io.TextIOWrapper) -> None:
    """Returns when a process that is killed cannot take the lines of `appending` with it.

    Raises:
      OSError: they cannot be written.
    """
    if isinstance(stream, GrowingObject):
        stream.sync()
    else:
        stream.flush()


@contextlib.contextmanager
def growing(file: Path) -> Iterator[IO[bytes]]:
    """A file of bytes that comes in several goes, such as a download, and stays after an error.

    The stream stands at its end. Its name should say that it is unfinished, as `.part` does. It is
    on a disk: bytes of an object cannot be changed.

    Raises:
      LinkError: `file` is a link.
      OSError: it cannot be written.
    """
    refuse_link(file)
    flags = os.O_RDWR | os.O_CREAT
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(file, flags, 0o666), "r+b") as stream:
        stream.seek(0, io.SEEK_END)
        yield stream


def finish(part: Path, file: Path) -> None:
    """Puts what has grown in its final place, when the disk has it.

    Raises:
      LinkError: `file` is a link.
      OSError: it cannot be written.
    """
    refuse_link(file)
    with growing(part) as stream:
        os.fsync(stream.fileno())
    part.replace(file)


def move(file: Path, to: Path) -> None:
    """Gives a file another name in its folder, in the place of what has it.

    Raises:
      FileNotFoundError: it is not there.
      OSError: it cannot be renamed.
    """
    if is_url(file):
        leases.assure(str(to))
        buckets.write(str(to), file.read_bytes())
        file.unlink()
    else:
        file.replace(to)


def make_folder(folder: Path, within: Path | None = None) -> Path:
    """Makes a folder, and those above it.

    Args:
      folder: to be made, if it is not there.
      within: a folder above it that the user has named, such as a run's. Below it no part of the
        path may be a link, which could lead to any other place.

    Returns:
      The folder.

    Raises:
      LinkError: a part of the path below `within` is a link.
      OSError: it cannot be made.
    """
    if within is not None:
        parts = folder.relative_to(within).parts
        if ".." in parts:
            raise LinkError(f"{folder} is not below {within}")
        for count in range(1, len(parts) + 1):
            refuse_link(within.joinpath(*parts[:count]))
    # In a bucket a folder is there with its first object.
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def refuse_link(path: Path) -> None:
    """Refuses to write where a link stands.

    Raises:
      LinkError: names the link and where it leads.
    """
    if path.is_symlink():
        raise LinkError(
            f"{path} is a link to {os.readlink(path)}, and nothing is written through links: "
            "remove it, or put what it points to in its place"
        )


def check_writable(folder: Path) -> None:
    """Writes an empty file and removes it, so that what cannot be written is told before the work.

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


def sweep(folder: Path, *, owned: bool = False) -> None:
    """Removes unfinished files that killed processes have left in a folder of a disk.

    Args:
      folder: to tidy.
      owned: whether nobody else writes there. Without it only what nobody has touched for a day is
        removed.
    """
    if is_url(folder):
        return
    for part in folder.glob(f"*{PART}"):
        # Another process may remove it at the same time, or its owner complete it.
        with contextlib.suppress(OSError):
            if part.is_file() and (owned or time.time() - part.lstat().st_mtime > _ABANDONED):
                part.unlink()
