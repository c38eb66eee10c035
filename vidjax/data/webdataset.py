"""Reads WebDataset tars as lists of videos: `key.mp4` beside `key.cls`, `key.txt` or `key.json`.

Nothing is extracted, so the names of members cannot cause harm. The headers give the offset and
size of each video, and small members hold the labels. Videos are later read from the tar in place.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from vidjax import records
from vidjax.data.manifest_entry import Place
from vidjax.data.video_files import VIDEO_SUFFIXES

# Members that may contain the label; the first that exists counts.
LABELS = ("cls", "json", "txt")
# Largest size of such a member in bytes.
_MOST_LABEL = 2**20
_BLOCK = 512


class TarError(ValueError):
    """A tar file is damaged."""


@dataclass
class Sample:
    """The members with one key.

    Attributes:
      key: the common name, up to the first dot of the file name.
      videos: positions of the videos, by suffix, such as `mp4`.
      labels: contents of the members that may contain the label, by suffix.
      doubled: suffixes that occur more than once; the first member counts.
    """

    key: str
    videos: dict[str, Place] = field(default_factory=dict)
    labels: dict[str, bytes] = field(default_factory=dict)
    doubled: list[str] = field(default_factory=list)


def read_tar(file: Path, name: str) -> list[Sample]:
    """Reads the samples of a tar, in order.

    Args:
      file: the tar.
      name: name of the tar for `Place.file`.

    Raises:
      TarError: the tar is damaged or truncated; the message says where.
      OSError: the tar cannot be read.
    """
    samples: dict[str, Sample] = {}
    with file.open("rb") as stream:
        for member, tar in _members(stream, str(file)):
            key, suffix = _parted(member.name)
            sample = samples.setdefault(key, Sample(key))
            kind = suffix.rpartition(".")[2]
            if f".{kind}" in VIDEO_SUFFIXES:
                place = Place(name, member.offset_data, member.size)
                _add(sample, sample.videos, suffix, place)
            elif suffix in LABELS and member.size <= _MOST_LABEL:
                content = tar.extractfile(member)
                _add(sample, sample.labels, suffix, content.read() if content else b"")
    return list(samples.values())


def label_of(sample: Sample, wanted: str = "") -> str:
    """Returns the label of a sample; empty if it has none.

    Args:
      sample: a sample of a tar.
      wanted: where to read the label: `cls`, `txt`, `json` for its field `label`, or `json:field`;
        empty takes the first of `LABELS` that exists.

    Raises:
      ValueError: the member is not text, or not JSON with that field.
    """
    suffix, _, name = wanted.partition(":")
    suffix = suffix or next((each for each in LABELS if each in sample.labels), "")
    content = sample.labels.get(suffix)
    if content is None:
        return ""
    if suffix != "json":
        return content.decode().strip()
    found = records.parsed(content, dict[str, Any]).get(name or "label")
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise ValueError(f"{name or 'label'!r} is not a text or an integer")
    return str(found).strip()


def _members(stream: IO[bytes], name: str) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    """Yields the files in a tar, each with its reader.

    Raises:
      TarError: like `read_tar`. Python's reader treats a damaged header as the end of the tar.
    """
    end = 0
    try:
        with tarfile.open(fileobj=stream, mode="r:") as tar:
            while (member := tar.next()) is not None:
                end = tar.offset
                if member.isreg():
                    yield member, tar
            end = tar.offset
    except (tarfile.TarError, EOFError, UnicodeError) as error:
        raise TarError(f"{name} is damaged after byte {end} ({error})") from None
    stream.seek(end)
    block = stream.read(_BLOCK)
    if len(block) < _BLOCK or block.strip(bytes(1)):
        what = "it is truncated" if len(block) < _BLOCK else "invalid header"
        raise TarError(f"{name} is damaged at byte {end} ({what})")


def _add(sample: Sample, there: dict[str, Any], suffix: str, value: Any) -> None:
    if suffix in there:
        sample.doubled.append(suffix)
    else:
        there[suffix] = value


def _parted(name: str) -> tuple[str, str]:
    """Splits a name into key and suffix at the first dot of the file name, as WebDataset does."""
    path = PurePosixPath(name)
    stem, _, suffix = path.name.partition(".")
    return path.with_name(stem).as_posix() if stem else name, suffix.lower()
