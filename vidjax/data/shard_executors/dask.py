"""Writes shards on the workers of a Dask scheduler: under SLURM, on Kubernetes, or started by hand.

A worker needs the same version of vidjax, permission to read the videos and to write the data set,
and a temporary directory. It shares no folder with other machines. Each worker thread writes one
shard at a time and decodes in a separate process. If a video crashes its decoder, only that video
is excluded, and the worker survives. If a worker is lost, its shard is given to another one.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from vidjax.data.decoded_cache import DecodedCache
from vidjax.data.shard_executors import ClusterError
from vidjax.data.shard_writer import Made, Task, make
from vidjax.storage.local_copies import scratch
from vidjax.storage.paths import as_path

# Seconds within which the scheduler must answer, and between two checks that it still does.
_ANSWER, _LOOK = 30.0, 20.0
# Shards submitted at a time: this many per thread, so that none waits, and at least _FEWEST.
_AHEAD, _FEWEST = 2, 16
# Retries of a shard on other workers if a machine fails.
_RETRIES = 2


class NoSchedulerError(ValueError):
    """No Dask scheduler answers at the address."""


def make_on_dask(
    tasks: Sequence[Task], address: str, note: Callable[[str], None]
) -> Iterator[Made]:
    """Writes all shards with Dask; yields them as they are finished.

    Args:
      tasks: the shards.
      address: address of the scheduler, such as `10.0.0.1:8786`.
      note: called with a message if there are no workers yet.

    Raises:
      ValueError: Dask is not installed, no scheduler answers, or a worker runs another version of
        the code.
      OSError: a machine failed.
      ClusterError: a shard killed several workers, or the scheduler is lost.
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
            # Cancels the submitted shards. If the scheduler is gone, there is nothing to do.
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
            note("the Dask scheduler has no workers yet: waiting for one")
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
    # Not pure: the result is a file, which may be gone when the same task is submitted again.
    return client.submit(_make, task, pure=False, retries=_RETRIES)


def _ask(client: Any, question: Any) -> Any:
    """Asks the scheduler and returns its answer.

    Raises:
      TimeoutError: it does not answer in time.
    """
    return client.sync(question, callback_timeout=_ANSWER)


def _make(task: Task) -> Made:
    """Writes one shard; runs on a worker."""
    import distributed

    own = as_path(distributed.get_worker().local_directory)
    _allow_children()
    with scratch(own) as place:
        return make(task, DecodedCache(place), workers=1)


def _allow_children() -> None:
    """Lets a Dask worker start processes, which Python forbids to daemons like Dask's workers.

    The rule exists so that no process outlives its parent. Ours end with their parent anyway.
    """
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]


@contextlib.contextmanager
def _without_its_log(distributed: Any) -> Iterator[None]:
    """Hides Dask's tracebacks about lost workers; a one-line error reports them."""
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
            f"no Dask scheduler answers at {address} ({_first_line(error)}); start one with "
            "`dask scheduler`, and connect workers to it with `dask worker`"
        ) from None


@contextlib.contextmanager
def _in_one_line(distributed: Any, address: str) -> Iterator[None]:
    """Turns Dask's errors about lost machines into one-line errors.

    Raises:
      ClusterError: in place of Dask's error.
      ValueError: the workers lack a package.
    """
    try:
        yield
    except distributed.KilledWorker as error:
        raise ClusterError(str(error).partition(". Inspecting")[0]) from None
    except ModuleNotFoundError as error:
        raise ValueError(
            f"the workers at {address} lack {error.name}: install the same vidjax there"
        ) from None
    except (TimeoutError, distributed.CancelledError, distributed.comm.CommClosedError) as error:
        raise ClusterError(
            f"the Dask scheduler at {address} no longer answers ({_first_line(error)})"
        ) from None


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
