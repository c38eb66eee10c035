"""Local copies of files and folders in a bucket, for libraries that read local paths."""

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

# Concurrent transfers: most of the time is spent waiting.
_AT_ONCE = 16


@contextlib.contextmanager
def scratch(within: Path | None = None) -> Iterator[Path]:
    """Opens a context with a new local folder, which is removed when the context ends.

    Args:
      within: parent folder, whose owner cleans up if this process is killed; None is the system's
        temporary folder.

    Raises:
      OSError: the folder cannot be created.
    """
    with tempfile.TemporaryDirectory(prefix="vidjax-", dir=within) as folder:
        yield Path(folder)


@contextlib.contextmanager
def local_copy(file: Path, within: Path | None = None) -> Iterator[Path]:
    """Opens a context with a local path of a file: the file itself, or a temporary copy.

    Args:
      file: local file or object.
      within: parent folder of the copy, as in `scratch`.

    Raises:
      FileNotFoundError: there is no such object.
      BucketError: the object cannot be read.
      OSError: the local disk is full.
    """
    if not is_url(file):
        yield file
        return
    with scratch(within) as folder:
        copy = folder / file.name
        buckets.download(str(file), copy)
        yield copy


@contextlib.contextmanager
def local_folder_copy(folder: Path) -> Iterator[Path]:
    """Opens a context with a local path of a folder: the folder itself, or a temporary copy.

    Raises:
      FileNotFoundError: there are no objects below the folder.
      BucketError: an object cannot be read.
      OSError: the local disk is full.
    """
    if not is_url(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="vidjax-") as place:
        copy = Path(place) / folder.name
        files = list(folder.rglob("*"))
        if not files:
            raise FileNotFoundError(f"{folder} is empty or does not exist")

        def fetch(file: Path) -> None:
            target = copy / str(file.relative_to(folder))
            target.parent.mkdir(parents=True, exist_ok=True)
            buckets.download(str(file), target)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(fetch, files))
        yield copy


@contextlib.contextmanager
def new_folder(folder: Path, last: Sequence[str] = ()) -> Iterator[Path]:
    """Opens a context with a local folder that becomes `folder` if the context ends without error.

    On a disk the folder appears at once, and may replace an empty one. In a bucket its files appear
    one by one, with those named `last` at the end: if they exist, the folder is complete.

    Raises:
      FileExistsError: `folder` exists and is not an empty folder.
      OSError: the folder cannot be written.
    """
    if is_url(folder):
        with tempfile.TemporaryDirectory(prefix="vidjax-") as place:
            yield Path(place)
            upload_folder(Path(place), folder, last)
        return
    if os.path.lexists(folder) and any(folder.iterdir()):
        raise FileExistsError(f"{folder} exists already; choose another, or remove it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as place:
        unfinished = Path(place) / "new"
        unfinished.mkdir()
        yield unfinished
        unfinished.replace(folder)


def upload_folder(folder: Path, to: Path, last: Sequence[str] = ()) -> None:
    """Uploads all files of a local folder to a bucket, those named `last` at the end.

    Raises:
      BucketError: a file cannot be written.
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
    """Removes a folder and its contents, if it exists.

    Raises:
      OSError: a file cannot be removed.
    """
    if is_url(folder):
        buckets.remove_below(str(folder))
    elif folder.is_dir():
        shutil.rmtree(folder)
