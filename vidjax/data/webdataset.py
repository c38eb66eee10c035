"""Tar files of WebDataset as lists of videos: `key.mp4` beside `key.cls`, `key.txt` or `key.json`.

Nothing is extracted: names of members are data, whatever they look like. Headers tell where each
video begins and how long it is, and small members hold the labels. So a video is read later from
the tar itself, wherever that lies.
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

# Members that may say what a video shows, the first that is there counts.
LABELS = ("cls", "json", "txt")
# Bytes of such a member.
_MOST_LABEL = 2**20
_BLOCK = 512


class TarError(ValueError):
    """A tar is damaged."""


@dataclass
class Sample:
    """The members of one key.

    Attributes:
      key: the name that they share, up to the first dot of the file's name.
      videos: places of its videos, by their suffix, such as `mp4`.
      labels: contents of the members that may say what they show, by suffix.
      doubled: suffixes that are there more than once; the first counts.
    """

    key: str
    videos: dict[str, Place] = field(default_factory=dict)
    labels: dict[str, bytes] = field(default_factory=dict)
    doubled: list[str] = field(default_factory=list)


def read_tar(file: Path, name: str) -> list[Sample]:
    """The samples of a tar, in its order.

    Args:
      file: the tar.
      name: what `Place.file` calls it.

    Raises:
      TarError: it is damaged or cut short; says where.
      OSError: it cannot be read.
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
    """What a sample says that its videos show; empty where it does not.

    Args:
      sample: of a tar.
      wanted: `cls`, `txt`, `json` for its field `label`, or `json:field`; empty takes the first
        of `LABELS` that is there.

    Raises:
      ValueError: what says so is no text, or no JSON with that field.
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
        raise ValueError(f"has no text or number as {name or 'label'!r}")
    return str(found).strip()


def _members(stream: IO[bytes], name: str) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    """Its files, with what reads them.

    Raises:
      TarError: as `read_tar`. Python's reader takes a damaged header for the end.
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
        what = "it has no end, as if it had been cut" if len(block) < _BLOCK else "no header there"
        raise TarError(f"{name} is damaged at byte {end} ({what})")


def _add(sample: Sample, there: dict[str, Any], suffix: str, value: Any) -> None:
    if suffix in there:
        sample.doubled.append(suffix)
    else:
        there[suffix] = value


def _parted(name: str) -> tuple[str, str]:
    """Key and suffix, as WebDataset has them: the first dot of the last part is between them."""
    path = PurePosixPath(name)
    stem, _, suffix = path.name.partition(".")
    return path.with_name(stem).as_posix() if stem else name, suffix.lower()
