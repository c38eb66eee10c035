"""Files and folders of a bucket on this machine's own disk, for libraries that read paths."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vidjax.storage import buckets
from vidjax.storage.paths import is_url

# Transfers at once: each of them mostly waits.
_AT_ONCE = 16


@contextlib.contextmanager
def scratch(within: Path | None = None) -> Iterator[Path]:
    """A new folder of this machine that goes when the context ends.

    Args:
      within: folder that it lies in, whose owner tidies up after a process that is killed; the
        system's own for temporary files if None.

    Raises:
      OSError: it cannot be made.
    """
    with tempfile.TemporaryDirectory(prefix="vidjax-", dir=within) as folder:
        yield Path(folder)


@contextlib.contextmanager
def here(file: Path, within: Path | None = None) -> Iterator[Path]:
    """A path of this machine with the content of a file: itself, or a copy that goes afterwards.

    Args:
      file: wherever it lies.
      within: where the copy goes, as in `scratch`.

    Raises:
      FileNotFoundError: no object is there.
      BucketError: it cannot be read.
      OSError: this machine has no place for it.
    """
    if not is_url(file):
        yield file
        return
    with scratch(within) as folder:
        copy = folder / file.name
        buckets.download(str(file), copy)
        yield copy


@contextlib.contextmanager
def folder_here(folder: Path) -> Iterator[Path]:
    """A folder of this machine with all that a folder holds: itself, or a copy.

    Raises:
      FileNotFoundError: nothing is there.
      BucketError: something cannot be read.
      OSError: this machine has no place for it.
    """
    if not is_url(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="vidjax-") as place:
        copy = Path(place) / folder.name
        files = list(folder.rglob("*"))
        if not files:
            raise FileNotFoundError(f"{folder} holds nothing")

        def fetch(file: Path) -> None:
            target = copy / str(file.relative_to(folder))
            target.parent.mkdir(parents=True, exist_ok=True)
            buckets.download(str(file), target)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(fetch, files))
        yield copy


@contextlib.contextmanager
def new_folder(folder: Path, last: Sequence[str] = ()) -> Iterator[Path]:
    """A folder of this machine that becomes `folder` when the context ends without an error.

    On a disk it appears at once, or in the place of an empty one. In a bucket its files appear one
    by one, those that are named `last` at the end: who finds them finds everything.

    Raises:
      FileExistsError: something is there that is no empty folder.
      OSError: it cannot be written.
    """
    if is_url(folder):
        with tempfile.TemporaryDirectory(prefix="vidjax-") as place:
            yield Path(place)
            upload_folder(Path(place), folder, last)
        return
    if os.path.lexists(folder) and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is there already; name another, or remove it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as place:
        unfinished = Path(place) / "new"
        unfinished.mkdir()
        yield unfinished
        unfinished.replace(folder)


def upload_folder(folder: Path, to: Path, last: Sequence[str] = ()) -> None:
    """Copies every file of a folder of this machine into a bucket.

    Raises:
      BucketError: one cannot be written.
    """
    files = sorted(file for file in folder.rglob("*") if file.is_file())

    def put(file: Path) -> None:
        buckets.upload(file, str(to / file.relative_to(folder).as_posix()))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(put, (file for file in files if file.name not in last)))
    for name in last:
        for file in files:
            if file.name == name:
                put(file)


def remove_folder(folder: Path) -> None:
    """Removes a folder and all that is in it, if it is there.

    Raises:
      OSError: something cannot be removed.
    """
    if is_url(folder):
        buckets.remove_below(str(folder))
    elif folder.is_dir():
        shutil.rmtree(folder)
