"""Published image data sets, which TFDS itself prepares as ArrayRecord files."""

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
from vidjax.data.dataset_info import ARRAY_RECORD, INFO, DatasetInfo
from vidjax.data.integrity import open_data_set, record_sizes, refuse_incomplete
from vidjax.data.manifest import ManifestError
from vidjax.storage.ownership import owned
from vidjax.storage.paths import as_path

# Errors that downloading again would not fix.
_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO)


class PublishedImages:
    """Base class of the image data sets. Each image is read as a video of one frame.

    Attributes:
      name: name in TFDS.
      HOMEPAGE: where to get the data set.
      LAYOUT: contents of the folder that `--manual_dir` names, as text.
      FILES: files that must be in that folder; empty if TFDS downloads the data set.
      CLASSES: published number of classes.
      VIDEOS: published number of images per split.
      TRAPS: known pitfalls and how they are handled.
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
        """Prepares the data set below `request.data_dir` if it is not there; returns its folder.

        Images are stored as published; `request.storage` has no effect.

        Raises:
          ValueError: an option is given, a file is missing, the data set exists in a format without
            random access, or it cannot be downloaded.
        """
        for option in request.options:
            raise ManifestError(
                f"data.options.{option} is unknown to {cls.name}; it has no options"
            )
        if request.storage.flow:
            raise ManifestError(f"data.input = 'flow': the images of {cls.name} have no flow")
        made_by = tfds.builder_cls(cls.name)
        data_dir = request.data_dir.absolute()
        folder = data_dir / cls.name / str(made_by.VERSION)
        if not (folder / INFO).is_file():
            request.begin(f"there is no prepared data set in {folder}")
            with owned(folder, beside=True, wait=True, say=request.note):
                if not (folder / INFO).is_file():
                    refuse_incomplete(folder)
                    _require_files(cls, request.manual_dir)
                    builder = made_by(data_dir=str(data_dir), file_format=ARRAY_RECORD)
                    _write(cls, builder, request.manual_dir)
                    record_sizes(folder)
        _refuse_other_form(cls.name, folder)
        open_data_set(folder)
        return folder

    @classmethod
    def describe(cls) -> str:
        """Describes the data set for users, as text."""
        pictures = ", ".join(f"{split} {count:,}" for split, count in cls.VIDEOS)
        parts = [
            inspect.cleandoc(cls.__doc__ or ""),
            f"From {cls.HOMEPAGE}. {cls.CLASSES} classes; images as published: {pictures}.",
            f"Folder that --manual_dir names:\n{inspect.cleandoc(cls.LAYOUT)}",
        ]
        return "\n\n".join([*parts, "\n".join(f"- {trap}" for trap in cls.TRAPS)])


def _refuse_other_form(name: str, folder: Path) -> None:
    there = DatasetInfo.read(folder).file_format
    if there != ARRAY_RECORD:
        raise ManifestError(
            f"{folder} contains {name} as {there[:50]}, a format without random access; remove it, "
            "or set another data.data_dir"
        )


def _require_files(cls: type[PublishedImages], manual_dir: str) -> None:
    missing = [name for name in cls.FILES if not (as_path(manual_dir) / name).is_file()]
    if missing:
        raise ManifestError(
            f"data.manual_dir = {manual_dir!r} contains no {missing[0]}. Get {cls.name} from "
            f"{cls.HOMEPAGE}. Expected folder contents:\n{inspect.cleandoc(cls.LAYOUT)}"
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
            f"{cls.name}: an archive is truncated or differs from the published one ({first}). "
            f"Download it again from {cls.HOMEPAGE}"
        ) from None
    except OSError as error:
        if error.errno in _OF_THE_MACHINE:
            raise
        raise ManifestError(
            f"{cls.name} cannot be prepared: {error}. Without a network, set --manual_dir to a "
            f"folder with\n{inspect.cleandoc(cls.LAYOUT)}"
        ) from None
