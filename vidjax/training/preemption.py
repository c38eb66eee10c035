"""SIGTERM: a machine that is about to be taken away lets the run save first."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

# What a process exits with after it saved on SIGTERM: "try again later" in sysexits.h.
EXIT_CODE = 75


class Preemption:
    """Notes SIGTERM while the context is open.

    Args:
      every: steps between the processes' agreements; a single process agrees at once.
    """

    def __init__(self, every: int = 10) -> None:
        self._asked = False
        self._every = every
        self._before: Any = None

    def __enter__(self) -> Preemption:
        self._before = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGTERM, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._asked = True

    def agreed(self, step: int) -> bool:
        """Whether to save and stop after `step`; the same answer in every process."""
        if jax.process_count() == 1:
            return self._asked
        if step % self._every:
            return False
        return bool(multihost_utils.process_allgather(np.array(self._asked)).any())
