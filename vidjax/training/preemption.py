"""SIGTERM: a machine that is about to be taken away lets the run save first."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import TracebackType

import jax
import numpy as np
from jax.experimental import multihost_utils

from vidjax.terminal import complain
from vidjax.training.signal_listener import Listener, end_now

# What a process exits with after it saved on SIGTERM: "try again later" in sysexits.h.
EXIT_CODE = 75
# Of a process that SIGTERM has ended, as shells give it.
_ENDED = 128 + signal.SIGTERM


class Preemption:
    """Notes SIGTERM while the context is open; a second one ends the process at once.

    Args:
      every: steps between the processes' agreements; a single process agrees at once.
    """

    def __init__(self, every: int = 10) -> None:
        self._asked = False
        self._every = every
        self._leave: Callable[[], None] | None = None
        self._lock = threading.Lock()
        # Python's own half has nothing to do: the thread has heard before.
        self._listener = Listener(signal.SIGTERM, self._heard, lambda *_: None)

    def __enter__(self) -> Preemption:
        self._listener.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._listener.__exit__()

    def _heard(self, times: int) -> None:
        if times > 1:
            complain("ended by a second SIGTERM")
            end_now(_ENDED)
        self._asked = True
        # Leaving may have to wait; meanwhile a second one must be heard.
        threading.Thread(target=self._leave_if_free, name="leaving", daemon=True).start()

    def _leave_if_free(self) -> None:
        with self._lock:
            if self._leave is not None:
                self._end(self._leave)

    def _end(self, leave: Callable[[], None]) -> None:
        try:
            leave()
        # Nobody is there to catch it: it is told, and the process ends as one that has to resume.
        except Exception as error:
            complain(f"error: {error}")
        end_now(EXIT_CODE)

    @contextlib.contextmanager
    def nothing_to_lose(self, leave: Callable[[], None]) -> Iterator[None]:
        """While it is open, SIGTERM ends the process within seconds, also during a compilation.

        For times in which nothing is computed that is not in a checkpoint: before the first step,
        and during an evaluation, which the resumed run makes up for. Each process of a job leaves
        by itself.

        Args:
          leave: called first, in another thread; it sees to what is being written.
        """
        with self._lock:
            if self._asked:
                self._end(leave)
            self._leave = leave
        try:
            yield
        finally:
            # Waits for good where the process is about to end.
            with self._lock:
                self._leave = None

    def agreed(self, step: int) -> bool:
        """Whether to save and stop after `step`; the same answer in every process."""
        if jax.process_count() == 1:
            return self._asked
        if step % self._every:
            return False
        return bool(multihost_utils.process_allgather(np.array(self._asked)).any())
