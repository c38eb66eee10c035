"""Saves a run on SIGTERM, which precedes the preemption of a machine."""

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

# Exit code of a process that saved on SIGTERM: "try again later" in sysexits.h.
EXIT_CODE = 75
# Exit code that shells report for a process that SIGTERM has ended.
_ENDED = 128 + signal.SIGTERM


class Preemption:
    """Listens for SIGTERM while the context is open. A second SIGTERM ends the process at once.

    Args:
      every: steps between two agreements of the processes; a single process agrees at once.
    """

    def __init__(self, every: int = 10) -> None:
        self._asked = False
        self._every = every
        self._leave: Callable[[], None] | None = None
        self._lock = threading.Lock()
        # The Python handler does nothing, because the thread has already reacted.
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
        # Leaving may have to wait; a second signal must still be heard meanwhile.
        threading.Thread(target=self._leave_if_free, name="leaving", daemon=True).start()

    def _leave_if_free(self) -> None:
        with self._lock:
            if self._leave is not None:
                self._end(self._leave)

    def _end(self, leave: Callable[[], None]) -> None:
        try:
            leave()
        # Nothing catches this error: it is printed, and the exit code asks for a resume.
        except Exception as error:
            complain(f"error: {error}")
        end_now(EXIT_CODE)

    @contextlib.contextmanager
    def nothing_to_lose(self, leave: Callable[[], None]) -> Iterator[None]:
        """Lets SIGTERM end the process within seconds in this context, even during a compilation.

        Use it when no result would be lost that is not in a checkpoint: before the first step, and
        during an evaluation, which the resumed run does again. Each process of a job leaves on its
        own.

        Args:
          leave: called first, in another thread; it finishes pending writes.
        """
        with self._lock:
            if self._asked:
                self._end(leave)
            self._leave = leave
        try:
            yield
        finally:
            # Waits forever if the process is about to end.
            with self._lock:
                self._leave = None

    def agreed(self, step: int) -> bool:
        """Returns whether to save and stop after `step`, with one answer for all processes."""
        if jax.process_count() == 1:
            return self._asked
        if step % self._every:
            return False
        return bool(multihost_utils.process_allgather(np.array(self._asked)).any())
