"""Decoded videos on disk, one file each, until the data set that they belong to is written.

What is here need not be decoded again, so that a preparation which was interrupted goes on.
"""

from __future__ import annotations

import errno
import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidjax.storage.writing import writing_bytes

Decoded = tuple[list[bytes], float]
# Bytes of a SHA-256.
_SEAL = 32


def spool_of(folder: Path) -> Path:
    """What a preparation keeps beside a data set until that is complete.

    Args:
      folder: of the data set.
    """
    return folder.with_name(f"{folder.name}.decoded")


@dataclass(frozen=True)
class Spool:
    """A folder of decoded videos; it may be shared by processes and machines.

    Attributes:
      folder: made when something is saved.
    """

    folder: Path

    def has(self, name: str) -> bool:
        """Whether the video is there; `load` tells whether it is whole."""
        return self._file(name).is_file()

    def save(self, name: str, jpegs: Sequence[bytes], fps: float) -> None:
        """Keeps a video's encoded frames and rate."""
        file = self._file(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        archive = io.BytesIO()
        sizes = np.array([len(jpeg) for jpeg in jpegs])
        data = np.frombuffer(b"".join(jpegs), np.uint8)
        np.savez(archive, data=data, sizes=sizes, fps=np.float32(fps))
        with writing_bytes(file) as stream:
            stream.write(archive.getbuffer())
            stream.write(hashlib.sha256(archive.getbuffer()).digest())

    def load(self, name: str) -> Decoded | None:
        """A video's encoded frames and rate, as `save` got them.

        None where they are not there, or not whole, as the hash at the end of the file tells.

        Raises:
          OSError: the file is there and cannot be read.
        """
        try:
            content = self._file(name).read_bytes()
        except FileNotFoundError:
            return None
        archive, seal = content[:-_SEAL], content[-_SEAL:]
        if hashlib.sha256(archive).digest() != seal:
            return None
        # The hash finds damage. Whoever writes a file on purpose can take it anew.
        try:
            with np.load(io.BytesIO(archive), allow_pickle=False) as stored:
                ends = np.cumsum(stored["sizes"])
                data = stored["data"].tobytes()
                fps = float(stored["fps"])
        except (ValueError, KeyError, TypeError, zipfile.BadZipFile):
            return None
        starts = (0, *ends[:-1])
        return [data[start:end] for start, end in zip(starts, ends, strict=True)], fps

    def reload(self, name: str) -> Decoded:
        """What was saved just now.

        Raises:
          OSError: it is not there, or damaged: the disk fails.
        """
        decoded = self.load(name)
        if decoded is None:
            raise OSError(errno.EIO, "what was written cannot be read back", str(self._file(name)))
        return decoded

    def drop(self, name: str) -> None:
        """Frees what a video takes."""
        self._file(name).unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        key = hashlib.sha256(name.encode()).hexdigest()
        # A quarter of a million files are too many for one folder.
        return self.folder / key[:2] / f"{key[2:34]}.npz"
