"""Shards made by the workers of a Dask scheduler: under SLURM, on Kubernetes, or by hand.

A worker needs vidjax as it is installed here, the right to read the videos and to write the data
set, and a temporary directory. It shares no folder with other machines. Each of its threads makes
one shard at a time and decodes in a process of its own, so that a video which kills its decoder
costs that video and no worker. A shard whose worker is lost is given to another one.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from vidjax.data.decoded_cache import Spool
from vidjax.data.shard_executors import ClusterError
from vidjax.data.shard_writer import Made, Task, make
from vidjax.storage.local_copies import scratch
from vidjax.storage.paths import as_path

# Seconds for the scheduler to answer, and between two looks whether it still does.
_ANSWER, _LOOK = 30.0, 20.0
# Shards given out at a time for each thread, so that none waits; and at least.
_AHEAD, _FEWEST = 2, 16
# Of a shard, on other workers, when a machine fails it.
_RETRIES = 2


class NoSchedulerError(ValueError):
    """Nothing answers as a Dask scheduler."""


def make_on_dask(
    tasks: Sequence[Task], address: str, note: Callable[[str], None]
) -> Iterator[Made]:
    """Makes all shards; they come as they are made.

    Args:
      tasks: the shards.
      address: of the scheduler, such as `10.0.0.1:8786`.
      note: told that there are no workers yet.

    Raises:
      ValueError: Dask is not installed, no scheduler answers, or a worker runs other code.
      OSError: a machine fails.
      ClusterError: a shard has cost several workers, or the scheduler is lost.
    """
    try:
        import distributed
    except ImportError:
        raise ValueError("Dask is not installed: pip install 'vidjax[dask]'") from None
    with _without_its_log(distributed), _in_one_line(distributed, address):
        client = _connected(distributed, address)
        try:
            yield from _made(distributed, client, tasks, note)
        finally:
            # What is given out ends with the command; a scheduler that is gone hears nothing.
            with contextlib.suppress(Exception):
                client.close(timeout=_ANSWER)


def _made(
    distributed: Any, client: Any, tasks: Sequence[Task], note: Callable[[str], None]
) -> Iterator[Made]:
    waiting, given, told = iter(tasks), set[Any](), False
    while True:
        threads = sum(_ask(client, client.scheduler.ncores).values())
        if not threads and not told:
            told = True
            note("no worker is at the Dask scheduler yet: waiting for one")
        room = max(_FEWEST, _AHEAD * threads) - len(given)
        given |= {_give(client, task) for task in itertools.islice(waiting, max(0, room))}
        if not given:
            return
        with contextlib.suppress(TimeoutError):
            distributed.wait(given, timeout=_LOOK, return_when="FIRST_COMPLETED")
        for future in [each for each in given if each.done()]:
            given.remove(future)
            yield future.result(timeout=_ANSWER)
            future.release()


def _give(client: Any, task: Task) -> Any:
    # Not pure: what is made is a file, which may be gone when the same is asked again.
    return client.submit(_make, task, pure=False, retries=_RETRIES)


def _ask(client: Any, question: Any) -> Any:
    """What the scheduler answers.

    Raises:
      TimeoutError: it does not, in time.
    """
    return client.sync(question, callback_timeout=_ANSWER)


def _make(task: Task) -> Made:
    """On a worker."""
    import distributed

    own = as_path(distributed.get_worker().local_directory)
    _allow_children()
    with scratch(own) as place:
        return make(task, Spool(place), workers=1)


def _allow_children() -> None:
    """Lets a worker start processes: Dask's are daemons, which Python lets have none.

    Ours end with the process that has started them, which is what that rule is for.
    """
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]


@contextlib.contextmanager
def _without_its_log(distributed: Any) -> Iterator[None]:
    """Leaves out Dask's tracebacks of what is lost, which is told in one line."""
    own = str(distributed.__path__[0])
    handlers = [each for each in (*logging.root.handlers, logging.lastResort) if each]

    def others(record: logging.LogRecord) -> bool:
        return not record.pathname.startswith(own)

    for handler in handlers:
        handler.addFilter(others)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(others)


def _connected(distributed: Any, address: str) -> Any:
    try:
        return distributed.Client(address, timeout=_ANSWER)
    except (OSError, ValueError) as error:
        raise NoSchedulerError(
            f"no Dask scheduler answers at {address} ({_first_line(error)}); start one "
            "(`dask scheduler`), and workers that know it (`dask worker`)"
        ) from None


@contextlib.contextmanager
def _in_one_line(distributed: Any, address: str) -> Iterator[None]:
    """What Dask says of lost machines, as errors of the machine.

    Raises:
      ClusterError: in its stead.
      ValueError: workers lack vidjax.
    """
    try:
        yield
    except distributed.KilledWorker as error:
        raise ClusterError(str(error).partition(". Inspecting")[0]) from None
    except ModuleNotFoundError as error:
        raise ValueError(
            f"the workers at {address} lack {error.name}: install vidjax there as it is here"
        ) from None
    except (TimeoutError, distributed.CancelledError, distributed.comm.CommClosedError) as error:
        raise ClusterError(
            f"the Dask scheduler at {address} answers no more ({_first_line(error)})"
        ) from None


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
