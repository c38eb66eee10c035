"""Opening a prepared data set, and saying in one line what is damaged in it and what to do."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vidjax import records
from vidjax.writing import writing

INFO = "dataset_info.json"
_PARTS = (INFO, "features.json", "metadata.json")
_SIZES = "sizes.json"


class DamagedError(ValueError):
    """A prepared data set is not as it was written."""


def remedy(folder: Path) -> str:
    """What to do about a damaged data set."""
    return f"remove {folder} and start the same command again: it prepares the data set anew"


def refuse_halves(folder: Path) -> None:
    """Refuses a folder that holds something and is no prepared data set.

    Raises:
      DamagedError: names the folder and what it lacks.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / INFO).is_file():
        raise DamagedError(f"{folder} is damaged: {INFO} is absent; {remedy(folder)}")


def open_data_set(folder: Path) -> Any:
    """The TFDS builder of a prepared data set.

    Raises:
      ValueError: there is none.
      DamagedError: a file of it is absent, cut short, or not readable as what it is.
    """
    import tensorflow_datasets as tfds

    refuse_halves(folder)
    if not (folder / INFO).is_file():
        raise ValueError(f"no prepared data set at {str(folder)!r}: {INFO} is absent")
    with telling_damage(folder):
        builder = tfds.builder_from_directory(str(folder))
        metadata = builder.info.metadata
    if "fps" in builder.info.features and "manifest" not in (metadata or {}):
        raise DamagedError(f"{folder} is damaged: metadata.json is absent; {remedy(folder)}")
    _check_sizes(folder, builder)
    return builder


def record_sizes(folder: Path) -> None:
    """Records how large the files with the videos are, so that one cut short is found at once.

    Raises:
      OSError: the folder cannot be written.
    """
    sizes = {file.name: file.stat().st_size for file in sorted(folder.glob("*.array_record*"))}
    with writing(folder / _SIZES) as stream:
        stream.write(json.dumps(sizes, indent=2) + "\n")


@contextlib.contextmanager
def telling_damage(folder: Path) -> Iterator[None]:
    """What libraries make of a damaged data set becomes one line that names the file.

    Raises:
      DamagedError: in their stead.
    """
    try:
        yield
    except (OSError, DamagedError):
        raise
    # TFDS has errors of Protocol Buffers, JSON and its own here, some without a message.
    except Exception as error:
        what = _broken_part(folder) or next(iter(str(error).splitlines()), type(error).__name__)
        raise DamagedError(f"{folder} is damaged: {what}; {remedy(folder)}") from None


def _broken_part(folder: Path) -> str:
    for name in _PARTS:
        try:
            records.parsed(records.content(folder / name), dict[str, Any])
        except FileNotFoundError:
            return f"{name} is absent"
        except ValueError:
            return f"{name} is cut short or changed"
    return ""


def _check_sizes(folder: Path, builder: Any) -> None:
    known = _known_sizes(folder)
    for split in builder.info.splits.values():
        for path in split.filepaths:
            file = Path(path)
            if not file.is_file():
                raise DamagedError(f"{file} is absent; {remedy(folder)}")
            size, right = file.stat().st_size, known.get(file.name)
            if right is not None and size != right:
                raise DamagedError(f"{file} has {size} of {right} bytes; {remedy(folder)}")


def _known_sizes(folder: Path) -> Mapping[str, int]:
    """Empty where they are not recorded: data sets of TFDS itself, and earlier ones."""
    try:
        return records.read(folder / _SIZES, dict[str, records.Count], "")
    except (OSError, ValueError):
        return {}
