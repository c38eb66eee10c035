"""Writes events for TensorBoard to the folder `tensorboard` of the run.

TensorBoard hides steps that an interrupted run wrote after its last checkpoint.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from vidjax.run.config import Config
from vidjax.storage.mirror import Mirror
from vidjax.storage.writing import make_folder


class Events:
    """Writes each number as a scalar `split/name`, in a thread of its own.

    Args:
      folder: folder of the event files.
      step: step that the run resumes after; TensorBoard hides later ones.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._mirror = Mirror(folder)
        self._step = step
        # The first number imports tensorboardX. With PyTorch installed that takes over a second, in
        # which training goes on. One thread keeps the numbers in order.
        self._thread = ThreadPoolExecutor(1, "tensorboard")
        self._writes: list[Future[None]] = []

    @functools.cached_property
    def _events(self) -> Any:
        from tensorboardX import SummaryWriter

        return SummaryWriter(str(self._mirror.here), purge_step=self._step + 1)

    def write(self, step: int, split: str, numbers: Mapping[str, float]) -> None:
        """As in `Writer`. An error of an earlier write is raised here, or by `flush`."""
        waiting = [write for write in self._writes if not write.done() or write.result()]
        new = self._thread.submit(self._add, time.time(), step, split, dict(numbers))
        self._writes = [*waiting, new]
        if self._mirror.is_due():
            self.flush()

    def _add(self, now: float, step: int, split: str, numbers: Mapping[str, float]) -> None:
        for name, value in numbers.items():
            self._events.add_scalar(f"{split}/{name}", value, step, walltime=now)

    def flush(self) -> None:
        """As in `Writer`."""
        writes, self._writes = self._writes, []
        for write in writes:
            write.result()
        if "_events" in vars(self):
            self._events.flush()
        self._mirror.sync()

    def close(self) -> None:
        """As in `Writer`."""
        self._thread.shutdown()
        if "_events" in vars(self):
            self._events.close()
        self._mirror.close()
        for write in self._writes:
            write.result()


def open(workdir: Path, step: int, config: Config) -> Events:
    """Opens a new event file.

    Raises:
      LinkError: the folder is a link.
    """
    del config
    return Events(make_folder(workdir / "tensorboard", workdir), step)
