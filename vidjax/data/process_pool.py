"""Many small jobs on all cores, none of which can stop the others.

A job that dies takes its process along, one that hangs is ended after a time, and one that takes
too much memory gets none: each is answered in its stead, and a new process goes on with the rest.

Two kinds of failure are told apart. A job answers for its item: whatever it raises costs that item
alone. An `OSError` that leaves a job is the machine's (a full disk, a forbidden folder, too many
open files): it ends all work, and no item is blamed for it.

Workers end with the process that started them, however that ends.
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

# As many as the largest machines have cores for.
MOST_WORKERS = 4096

_KILLED = "its process ended with code -9"


@dataclass(frozen=True)
class Lost:
    """What became of a job without a result.

    Attributes:
      reason: `took too long` or `killed its worker`.
      detail: seconds, what it raised, or how the process ended.
    """

    reason: str
    detail: str

    def __str__(self) -> str:
        """Reason and detail."""
        return f"{self.reason} ({self.detail})"


_UNGUARDED = "a script that starts workers does so under: if __name__ == '__main__'"


def refuse_in_starting_worker() -> None:
    """Refuses to go on where a worker, as it starts, runs the script that has started it.

    A process that is started anew imports the script. Without a guard that begins all its work
    once more, and waits for what its parent owns.

    Raises:
      RuntimeError: says which guard the script needs.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise RuntimeError(f"this is a worker that runs the script anew: {_UNGUARDED}")


def run_each(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    seconds: float = 600.0,
    memory: int | None = None,
) -> Iterator[tuple[Item, Result | Lost]]:
    """Results in the order in which they come.

    Systems that run out of memory kill a process. So an item whose process was killed is tried
    once more, alone, when all others are done.

    Args:
      function: of one item; importable by name, since processes are started anew.
      items: to be worked off.
      workers: processes; None is one a core.
      seconds: that one item may take.
      memory: bytes of address space that a process may use beyond what it has at its start, where
        the system can limit it.

    Raises:
      OSError: the machine failed a job, or a worker could not start.
    """
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
    """A process, and the item it is at."""

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
        with _deaf_to_interrupts():
            self._process.start()
        theirs.close()

    def age(self) -> float:
        return time.monotonic() - self.since

    def take(self, item: Any) -> None:
        self._item, self.busy, self.since = item, True, time.monotonic()
        # A worker that is gone is found out when its answer is due.
        with contextlib.suppress(ConnectionError):
            self.pipe.send(item)

    def answer(self) -> tuple[Any, Any] | None:
        """The item and its result, or what became of it; None if the worker has only begun."""
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
        """Ends what takes too long."""
        self._renew()
        return self._item, Lost("took too long", f"more than {seconds:g} s")

    def _ended(self) -> tuple[Any, Any]:
        self._process.join(10)
        code = self._process.exitcode
        if not self._began:
            raise ChildProcessError(
                f"a worker process could not start (it ended with code {code}): {_UNGUARDED}"
            )
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
    # Schedulers send SIGTERM to every process of a job; who started a worker ends it.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    limited = memory is not None and _limit(memory)
    # Nobody reads the answer of a worker whose parent is gone.
    with contextlib.suppress(EOFError, ConnectionError):
        pipe.send("begun")
        while True:
            pipe.send(_result(function, pipe.recv(), limited))


def _result(function: Callable[[Any], Any], item: Any, limited: bool) -> Any:
    """What the function makes of an item, what became of it, or the machine's error."""
    try:
        return function(item)
    except OSError as error:
        # Subclasses of libraries cannot always be sent.
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
    """Limits the address space; returns whether this limit is what will be met first."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (ImportError, FileNotFoundError):
        # Windows has no such limit, and macOS does not keep it.
        return False
    wanted, given = now + memory, resource.getrlimit(resource.RLIMIT_AS)
    if any(limit != resource.RLIM_INFINITY and limit <= wanted for limit in given):
        return False
    resource.setrlimit(resource.RLIMIT_AS, (wanted, given[1]))
    return True
