"""Many small jobs on all cores, none of which can stop the others.

A job that dies takes its process along, one that hangs is ended after a time, and one that takes
too much memory gets none: each is answered in its stead, and a new process goes on with the rest.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Lost:
    """What became of a job without a result.

    Attributes:
      reason: `took too long` or `killed its worker`.
      detail: seconds, or how the process ended.
    """

    reason: str
    detail: str

    def __str__(self) -> str:
        """Reason and detail."""
        return f"{self.reason} ({self.detail})"


def run_each(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    seconds: float = 600.0,
    memory: int | None = None,
) -> Iterator[tuple[Item, Result | Lost]]:
    """Results in the order in which they come.

    Args:
      function: of one item; importable by name, since processes are started anew.
      items: to be worked off.
      workers: processes; None is one a core.
      seconds: that one item may take.
      memory: bytes of address space that a process may use beyond what it has at its start, where
        the system can limit it.
    """
    waiting = iter(items)
    crew = [_Worker(function, memory) for _ in range(workers or os.cpu_count() or 1)]
    try:
        for worker in crew:
            worker.take(waiting)
        while busy := {worker.pipe: worker for worker in crew if worker.busy}:
            soonest = min(worker.since for worker in busy.values()) + seconds
            ready = wait(list(busy), timeout=max(0.0, soonest - time.monotonic()))
            done = [busy[pipe] for pipe in ready]  # type: ignore[index]
            late = [w for w in busy.values() if w not in done and w.age() > seconds]
            for worker in (*done, *late):
                yield worker.finish(seconds)
                worker.take(waiting)
    finally:
        for worker in crew:
            worker.end()


class _Worker(Generic[Item, Result]):
    """A process, and the item it is at."""

    def __init__(self, function: Callable[[Item], Result], memory: int | None) -> None:
        self._function, self._memory = function, memory
        self.busy, self.since, self._item = False, 0.0, None
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_work, args=(theirs, self._function, self._memory), daemon=True
        )
        with _deaf_to_interrupts():
            self._process.start()
        theirs.close()

    def age(self) -> float:
        return time.monotonic() - self.since

    def take(self, items: Iterator[Any]) -> None:
        for item in items:
            self._item, self.busy, self.since = item, True, time.monotonic()
            self.pipe.send(item)
            return

    def finish(self, seconds: float) -> tuple[Any, Any]:
        """The result of the item, or what became of it; afterwards the worker is free."""
        self.busy = False
        try:
            if self.pipe.poll():
                return self._item, self.pipe.recv()
            lost = Lost("took too long", f"more than {seconds:g} s")
        except (EOFError, ConnectionResetError):
            self._process.join(10)
            lost = Lost(
                "killed its worker", f"its process ended with code {self._process.exitcode}"
            )
        self.end()
        self._start()
        return self._item, lost

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes started herein do not hear Ctrl-C, which reaches every process of a terminal.

    Whoever started them ends them. The mask is inherited, so that they are deaf from their first
    instruction on, long before code of their own could see to it. Windows has no such mask.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Started with the first process otherwise, whereupon older Pythons lift the mask.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Connection, function: Callable[[Any], Any], memory: int | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if memory:
        _limit(memory)
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        pipe.send(function(item))


def _limit(memory: int) -> None:
    try:
        import resource
    except ImportError:
        # Windows has no such limit.
        return
    with open("/proc/self/statm", encoding="ascii") as file:
        now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (now + memory, now + memory))
