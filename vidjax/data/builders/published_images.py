"""Published data sets of pictures: TFDS itself prepares them, as files with random access."""

from __future__ import annotations

import contextlib
import errno
import inspect
import io
import tarfile
from pathlib import Path
from typing import ClassVar

import tensorflow_datasets as tfds
from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

from vidjax.data.catalog import Request
from vidjax.data.dataset_info import ARRAY_RECORD, INFO, Description
from vidjax.data.integrity import open_data_set, record_sizes, refuse_halves
from vidjax.data.manifest import ManifestError
from vidjax.storage.ownership import owned
from vidjax.storage.paths import as_path

# What no other archive helps against.
_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO)


class PublishedImages:
    """Common base of the data sets of pictures; each is a video of one frame when it is read.

    Attributes:
      name: as in TFDS.
      HOMEPAGE: where to get it.
      LAYOUT: the folder that `--manual_dir` names, as text.
      FILES: what must lie in that folder; empty where TFDS downloads the data set.
      CLASSES: number of classes as published.
      VIDEOS: number of pictures per split as published.
      TRAPS: what goes wrong with it, and what is done about it.
    """

    name: ClassVar[str]
    HOMEPAGE: ClassVar[str]
    LAYOUT: ClassVar[str]
    FILES: ClassVar[tuple[str, ...]] = ()
    CLASSES: ClassVar[int]
    VIDEOS: ClassVar[tuple[tuple[str, int], ...]]
    TRAPS: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def prepare(cls, request: Request) -> Path:
        """Prepares the data set below `request.data_dir` unless it is there; returns its folder.

        Pictures are stored as they are published: `request.storage` changes nothing.

        Raises:
          ValueError: an option is given, a file is missing, or the data set is there in a form
            that cannot be read at random; or it cannot be downloaded.
        """
        for option in request.options:
            raise ManifestError(f"data.options.{option} is unknown to {cls.name}; it has none")
        if request.storage.flow:
            raise ManifestError(f"data.input = 'flow': the pictures of {cls.name} have no flow")
        made_by = tfds.builder_cls(cls.name)
        data_dir = request.data_dir.absolute()
        folder = data_dir / cls.name / str(made_by.VERSION)
        if not (folder / INFO).is_file():
            request.begin(f"there is no prepared data set in {folder}")
            with owned(folder, beside=True, wait=True, say=request.note):
                if not (folder / INFO).is_file():
                    refuse_halves(folder)
                    _require_files(cls, request.manual_dir)
                    builder = made_by(data_dir=str(data_dir), file_format=ARRAY_RECORD)
                    _write(cls, builder, request.manual_dir)
                    record_sizes(folder)
        _refuse_other_form(cls.name, folder)
        open_data_set(folder)
        return folder

    @classmethod
    def describe(cls) -> str:
        """What a user has to know, as text."""
        pictures = ", ".join(f"{split} {count:,}" for split, count in cls.VIDEOS)
        parts = [
            inspect.cleandoc(cls.__doc__ or ""),
            f"From {cls.HOMEPAGE}. {cls.CLASSES} classes; pictures as published: {pictures}.",
            f"Folder that --manual_dir names:\n{inspect.cleandoc(cls.LAYOUT)}",
        ]
        return "\n\n".join([*parts, "\n".join(f"- {trap}" for trap in cls.TRAPS)])


def _refuse_other_form(name: str, folder: Path) -> None:
    there = Description.read(folder).file_format
    if there != ARRAY_RECORD:
        raise ManifestError(
            f"{folder} holds {name} as {there[:50]}, which cannot be read at random; "
            "remove it, or set another data.data_dir"
        )


def _require_files(cls: type[PublishedImages], manual_dir: str) -> None:
    missing = [name for name in cls.FILES if not (as_path(manual_dir) / name).is_file()]
    if missing:
        raise ManifestError(
            f"data.manual_dir = {manual_dir!r} holds no {missing[0]}; {cls.name} is from "
            f"{cls.HOMEPAGE}, and its folder is expected as\n{inspect.cleandoc(cls.LAYOUT)}"
        )


def _write(cls: type[PublishedImages], builder: tfds.core.DatasetBuilder, manual_dir: str) -> None:
    tfds.disable_progress_bar()
    config = tfds.download.DownloadConfig(manual_dir=manual_dir or None)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            builder.download_and_prepare(download_config=config)
    except (NonMatchingChecksumError, tarfile.TarError, EOFError) as error:
        first = str(error).strip().splitlines()[0]
        raise ManifestError(
            f"{cls.name}: an archive is not as it was published, or was cut short ({first}). "
            f"Download it anew from {cls.HOMEPAGE}"
        ) from None
    except OSError as error:
        if error.errno in _OF_THE_MACHINE:
            raise
        raise ManifestError(
            f"{cls.name} cannot be prepared: {error}. Without a network, --manual_dir names a "
            f"folder with\n{inspect.cleandoc(cls.LAYOUT)}"
        ) from None
