"""Keeps decoded videos on disk, one file each, until their shard is written.

They need not be decoded again when an interrupted preparation is resumed.
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


def unfinished_folder(folder: Path) -> Path:
    """Returns the temporary folder beside a data set, which exists until that is complete.

    Args:
      folder: folder of the data set.
    """
    return folder.with_name(f"{folder.name}.decoded")


@dataclass(frozen=True)
class DecodedCache:
    """A folder of decoded videos. Processes and machines may share it.

    Attributes:
      folder: the folder, created when something is saved.
    """

    folder: Path

    def has(self, name: str) -> bool:
        """Returns whether a video's file exists; only `load` checks that it is complete."""
        return self._file(name).is_file()

    def save(self, name: str, jpegs: Sequence[bytes], fps: float) -> None:
        """Saves a video's encoded frames and frame rate."""
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
        """Loads a video's encoded frames and frame rate.

        Returns None if the file is missing, or damaged according to the hash at its end.

        Raises:
          OSError: the file exists but cannot be read.
        """
        try:
            content = self._file(name).read_bytes()
        except FileNotFoundError:
            return None
        archive, seal = content[:-_SEAL], content[-_SEAL:]
        if hashlib.sha256(archive).digest() != seal:
            return None
        # The hash detects damage, but not a file that was forged together with its hash.
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
        """Loads a video that was just saved.

        Raises:
          OSError: the file is missing or damaged, so the disk is failing.
        """
        decoded = self.load(name)
        if decoded is None:
            raise OSError(errno.EIO, "what was written cannot be read back", str(self._file(name)))
        return decoded

    def drop(self, name: str) -> None:
        """Deletes a video's file, if it exists."""
        self._file(name).unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        key = hashlib.sha256(name.encode()).hexdigest()
        # A quarter of a million files are too many for one folder.
        return self.folder / key[:2] / f"{key[2:34]}.npz"
