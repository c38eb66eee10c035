"""Writes events for TensorBoard to the folder `tensorboard` of the run.

TensorBoard hides steps that an interrupted run wrote after its last checkpoint.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from vidjax.run.config import Config
from vidjax.storage.mirror import Mirror
from vidjax.storage.writing import growing, make_folder
from vidjax.training.event_files import opening_records, scalars_record


class Events:
    """Writes each number as a scalar `split/name`.

    Args:
      folder: folder of the event files.
      step: step that the run resumes after; TensorBoard hides later ones.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._mirror = Mirror(folder)
        self._step = step
        self._open = contextlib.ExitStack()

    @functools.cached_property
    def _stream(self) -> IO[bytes]:
        """A new file, opened with the first number. TensorBoard reads files in order of names."""
        now = time.time()
        file = self._mirror.here / f"events.out.tfevents.{int(now):010}.{socket.gethostname()}"
        stream = self._open.enter_context(growing(file))
        stream.write(opening_records(now, self._step + 1))
        return stream

    def write(self, step: int, split: str, numbers: Mapping[str, float]) -> None:
        """As in `Writer`."""
        named = {f"{split}/{name}": value for name, value in numbers.items()}
        self._stream.write(scalars_record(time.time(), step, named))
        self._stream.flush()
        if self._mirror.is_due():
            self.flush()

    def flush(self) -> None:
        """As in `Writer`."""
        self._mirror.sync()

    def close(self) -> None:
        """As in `Writer`."""
        self._open.close()
        self._mirror.close()


def open(workdir: Path, step: int, config: Config) -> Events:
    """Opens a new event file.

    Raises:
      LinkError: the folder is a link.
    """
    del config
    return Events(make_folder(workdir / "tensorboard", workdir), step)
