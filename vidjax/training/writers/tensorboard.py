"""Writes events for TensorBoard to the folder `tensorboard` of the run.

TensorBoard hides steps that an interrupted run wrote after its last checkpoint.
"""

from __future__ import annotations

import functools
import importlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidjax.run.config import Config
from vidjax.storage.mirror import Mirror
from vidjax.storage.writing import make_folder


class Events:
    """Writes each number as a scalar `split/name`.

    Args:
      folder: folder of the event files.
      step: step that the run resumes after; TensorBoard hides later ones.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._mirror = Mirror(folder)
        self._step = step
        # With PyTorch installed, this takes a second; the step is compiled meanwhile.
        threading.Thread(target=importlib.import_module, args=("tensorboardX",)).start()

    @functools.cached_property
    def _events(self) -> Any:
        """Opened with the first number."""
        from tensorboardX import SummaryWriter

        return SummaryWriter(str(self._mirror.here), purge_step=self._step + 1)

    def write(self, step: int, split: str, numbers: Mapping[str, float]) -> None:
        """As in `Writer`."""
        for name, value in numbers.items():
            self._events.add_scalar(f"{split}/{name}", value, step)
        if self._mirror.is_due():
            self.flush()

    def flush(self) -> None:
        """As in `Writer`."""
        if "_events" in vars(self):
            self._events.flush()
        self._mirror.sync()

    def close(self) -> None:
        """As in `Writer`."""
        if "_events" in vars(self):
            self._events.close()
        self._mirror.close()


def open(workdir: Path, step: int, config: Config) -> Events:
    """Opens a new event file.

    Raises:
      LinkError: the folder is a link.
    """
    del config
    return Events(make_folder(workdir / "tensorboard", workdir), step)
