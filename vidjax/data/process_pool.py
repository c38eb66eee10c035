"""A process pool in which no job can stop the others.

A job may crash its process, hang until its time limit, or exceed its memory limit. Its item then
gets a `Lost` result, and a new process continues with the rest.

There are two kinds of failure. An exception in a job affects only its item. An `OSError` from a job
is a failure of the machine (a full disk, a missing permission, too many open files): it stops all
work, and no item is blamed for it.

Workers end together with the process that started them, however that ends.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Cores of the largest machines.
MOST_WORKERS = 4096

_KILLED = "its process ended with code -9"


@dataclass(frozen=True)
class Lost:
    """The outcome of a job without a result.

    Attributes:
      reason: `took too long` or `killed its worker`.
      detail: the time limit, the exception, or how the process ended.
    """

    reason: str
    detail: str

    def __str__(self) -> str:
        """Formats reason and detail."""
        return f"{self.reason} ({self.detail})"


_UNGUARDED = "a script that starts workers must do so under: if __name__ == '__main__'"


def end_in_starting_worker() -> None:
    """Ends a worker that runs its parent's script while it starts.

    A spawned process imports the script. If the script has no guard, the worker would start all its
    work again, and wait for a folder that its parent owns.

    Raises:
      SystemExit: this process is such a worker. It prints nothing, because its parent raises the
        error that names the guard.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(1)


def run_each(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    seconds: float = 600.0,
    memory: int | None = None,
) -> Iterator[tuple[Item, Result | Lost]]:
    """Applies a function to each item in worker processes; yields results as they are finished.

    An operating system that runs out of memory kills processes. An item whose process was killed is
    therefore tried once more, alone, after all others.

    Args:
      function: function of one item; must be importable by name, since processes are spawned.
      items: the items.
      workers: number of processes; None is one per core.
      seconds: time limit of one item.
      memory: bytes of address space that a process may use beyond its initial size, if the system
        supports such a limit.

    Raises:
      OSError: the machine failed during a job, or a worker could not start.
    """
    end_in_starting_worker()
    crew, killed = workers or os.cpu_count() or 1, []
    for item, found in _once(function, iter(items), crew, seconds, memory):
        if isinstance(found, Lost) and found.detail == _KILLED:
            killed.append(item)
        else:
            yield item, found
    if killed:
        yield from _once(function, iter(killed), 1, seconds, memory)


def _once(
    function: Callable[[Item], Result],
    waiting: Iterator[Item],
    workers: int,
    seconds: float,
    memory: int | None,
) -> Iterator[tuple[Item, Result | Lost]]:
    crew: list[_Worker[Item, Result]] = []
    try:
        for item in itertools.islice(waiting, workers):
            crew.append(_Worker(function, memory))
            crew[-1].take(item)
        while busy := {worker.pipe: worker for worker in crew if worker.busy}:
            soonest = min(worker.since for worker in busy.values()) + seconds
            ready = wait(list(busy), timeout=max(0.0, soonest - time.monotonic()))
            done = [busy[pipe] for pipe in ready]  # type: ignore[index]
            late = [w for w in busy.values() if w not in done and w.age() > seconds]
            answers = [worker.answer() for worker in done] + [w.give_up(seconds) for w in late]
            for worker, answer in zip((*done, *late), answers, strict=True):
                if answer is None:
                    continue
                yield answer
                for item in itertools.islice(waiting, 1):
                    worker.take(item)
    finally:
        for worker in crew:
            worker.end()


class _Worker(Generic[Item, Result]):
    """A process and its current item."""

    def __init__(self, function: Callable[[Item], Result], memory: int | None) -> None:
        self._function, self._memory = function, memory
        self.busy, self.since, self._item = False, 0.0, None
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._began = False
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_work, args=(theirs, self._function, self._memory), daemon=True
        )
        with _ignore_interrupts():
            self._process.start()
        theirs.close()

    def age(self) -> float:
        return time.monotonic() - self.since

    def take(self, item: Any) -> None:
        self._item, self.busy, self.since = item, True, time.monotonic()
        # A dead worker is noticed when its answer is read.
        with contextlib.suppress(ConnectionError):
            self.pipe.send(item)

    def answer(self) -> tuple[Any, Any] | None:
        """Returns the item and its result or `Lost`; None if the worker has only just started."""
        try:
            message = self.pipe.recv()
        except (EOFError, ConnectionError):
            return self._ended()
        if not self._began:
            self._began, self.since = True, time.monotonic()
            return None
        if isinstance(message, OSError):
            raise message
        self.busy = False
        return self._item, message

    def give_up(self, seconds: float) -> tuple[Any, Any]:
        """Ends a job that takes too long."""
        self._renew()
        return self._item, Lost("took too long", f"more than {seconds:g} s")

    def _ended(self) -> tuple[Any, Any]:
        self._process.join(10)
        code = self._process.exitcode
        if not self._began:
            raise ChildProcessError(
                f"a worker process could not start (it ended with code {code}): {_UNGUARDED}"
            ) from None
        self._renew()
        return self._item, Lost("killed its worker", f"its process ended with code {code}")

    def _renew(self) -> None:
        self.busy = False
        self.end()
        self._start()

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()


@contextlib.contextmanager
def _ignore_interrupts() -> Iterator[None]:
    """Opens a context in which started processes ignore Ctrl-C, which reaches a whole terminal.

    Their parent ends them. The signal mask is inherited, so it is in effect before the process runs
    any code of its own. Windows has no such mask.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Otherwise it starts with the first process, and older Pythons then reset the mask.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Connection, function: Callable[[Any], Any], memory: int | None) -> None:
    # Schedulers send SIGTERM to every process of a job. The parent ends its workers.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    limited = memory is not None and _limit(memory)
    # If the parent is gone, nobody reads the answer.
    with contextlib.suppress(EOFError, ConnectionError):
        pipe.send("begun")
        while True:
            pipe.send(_result(function, pipe.recv(), limited))


def _result(function: Callable[[Any], Any], item: Any, limited: bool) -> Any:
    """Runs the function on an item; returns the result, `Lost`, or the machine's `OSError`."""
    try:
        return function(item)
    except OSError as error:
        # Subclasses from libraries cannot always be pickled.
        known = error.errno is not None
        return (
            OSError(error.errno, error.strerror, error.filename) if known else OSError(str(error))
        )
    except MemoryError as error:
        if limited:
            return Lost("killed its worker", f"it needs too much memory: {error}")
        return OSError(errno.ENOMEM, f"{os.strerror(errno.ENOMEM)}: {error}")
    except Exception as error:
        return Lost("killed its worker", f"{type(error).__name__}: {error}")


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _limit(memory: int) -> bool:
    """Limits the address space; returns whether this limit is the one that is reached first."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (ImportError, FileNotFoundError):
        # Windows has no such limit, and macOS does not enforce it.
        return False
    wanted, given = now + memory, resource.getrlimit(resource.RLIMIT_AS)
    if any(limit != resource.RLIM_INFINITY and limit <= wanted for limit in given):
        return False
    resource.setrlimit(resource.RLIMIT_AS, (wanted, given[1]))
    return True
