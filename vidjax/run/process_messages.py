"""What the processes of a job tell one another: short texts under keys.

JAX's coordination service in process 0 keeps the texts. No device takes part: processes with other
devices, other settings or another speed still understand one another, and no wait is cut short by
the limit of a transport. Keys are fixed: no path and nothing else that could differ is in one.
Every wait has a limit, and ends at once where another process has failed.
"""

from __future__ import annotations

import collections
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import jax
import msgspec
import orbax.checkpoint as ocp

from vidjax import records
from vidjax.run import machine_errors
from vidjax.run.machine_errors import MachineError, of_machine
from vidjax.run.typed_values import ConfigError

T = TypeVar("T")
# What a process exits with when it lost the others: "service unavailable" in sysexits.h.
EXIT_CODE = 69
# Seconds for which processes wait for one another by default.
PATIENCE = 300
# Seconds between two looks at a key, at first and at most.
_SOON, _SELDOM = 0.02, 0.5
_FAILED, _TURNS = "failed/", collections.Counter[str]()


class AbsentError(RuntimeError):
    """Other processes of the job did not come in time, or are lost."""


@dataclass(frozen=True)
class Company:
    """The processes of a job, and this one among them.

    Attributes:
      count: of processes.
      index: of this one, from 0.
      patience: seconds for which they wait for one another.
      token: drawn by process 0 for this start of the job; empty where a launcher joins them.
    """

    count: int = 1
    index: int = 0
    patience: int = PATIENCE
    token: str = ""


class _Failure(msgspec.Struct):
    """What a process says of the error that it ends with."""

    code: int
    text: str


_company: Company | None = None


def enter(company: Company) -> None:
    """Makes known what job this process belongs to."""
    global _company
    _company = company


def company() -> Company:
    """The job that this process belongs to; of processes that others have joined, too."""
    if _company is not None:
        return _company
    if not jax.distributed.is_initialized():
        return Company()
    return Company(jax.process_count(), jax.process_index())


def alone() -> bool:
    """Whether this process is the only one of its job."""
    return company().count == 1


def turn(what: str) -> str:
    """A key for this use of a fixed name: the first, the second, ..., counted for each name."""
    _TURNS[what] += 1
    return f"{what}/{_TURNS[what]}"


def tell(key: str, text: str) -> None:
    """Puts a text under a key, in place of what is there."""
    ocp.multihost.get_jax_distributed_client().key_value_set(key, text, allow_overwrite=True)


def told(key: str) -> str | None:
    """The text under a key, or None."""
    try:
        return str(ocp.multihost.get_jax_distributed_client().key_value_try_get(key))
    except jax.errors.JaxRuntimeError as error:
        if "NOT_FOUND" in str(error):
            return None
        raise


def told_below(prefix: str) -> dict[int, str]:
    """What processes have put under `prefix`, which ends with a slash, by the process."""
    found = ocp.multihost.get_jax_distributed_client().key_value_dir_get(prefix)
    return {int(key.rpartition("/")[2]): text for key, text in found}


def wait(
    look: Callable[[], T | None], seconds: float, late: Callable[[], str], *, heed: bool = True
) -> T:
    """Looks until there is something to see.

    Args:
      look: returns it, or None.
      seconds: to look for.
      late: what to say where there is nothing by then.
      heed: ends at once where another process has failed.

    Raises:
      AbsentError: nothing is there in time, or another process is lost.
      ConfigError: another process has refused what it was given.
      MachineError: the machine of another process has failed.
    """
    pause, end = _SOON, time.monotonic() + seconds
    while (seen := look()) is None:
        if heed:
            _heed_failures()
        if time.monotonic() > end:
            raise AbsentError(late())
        time.sleep(pause)
        pause = min(2 * pause, _SELDOM)
    return seen


def exchange(
    what: str,
    mine: str,
    judge: Callable[[str, dict[int, str]], str],
    seconds: float | None = None,
    *,
    heed: bool = True,
) -> str:
    """Waits for all processes, each with a text, on which process 0 judges.

    Args:
      what: fixed name of what they meet for, said in errors.
      mine: the text of this process; short, since process 0 reads all of them.
      judge: called in process 0 with the key and the texts by process; returns the answer.
      seconds: to wait for the others; None is the patience of the job.
      heed: as in `wait`.

    Returns:
      The answer, in every process.

    Raises:
      AbsentError: processes are missing; names them.
      ValueError, OSError: as `wait`.
    """
    here, key = company(), turn(what)
    limit = here.patience if seconds is None else seconds
    tell(f"{key}/said/{here.index}", mine)
    if here.index:
        return wait(
            lambda: told(f"{key}/answer"),
            limit,
            lambda: f"process 0 did not come to {what} within {limit:g} s",
            heed=heed,
        )

    def all_said() -> dict[int, str] | None:
        said = told_below(f"{key}/said/")
        return said if len(said) == here.count else None

    def missing() -> str:
        absent = sorted(set(range(here.count)) - told_below(f"{key}/said/").keys())
        return f"{in_words(absent)} did not come to {what} within {limit:g} s"

    answer = judge(key, wait(all_said, limit, missing, heed=heed))
    tell(f"{key}/answer", answer)
    return answer


def fail(error: Exception, doing: str = "") -> None:
    """Lets the others know why this process ends, once; those that wait end with it.

    Args:
      error: with which.
      doing: what it could not do, said before the error.
    """
    index = company().index
    if told(f"{_FAILED}{index}") is None:
        subject = f"process {index} {doing}" if doing else f"process {index}"
        failure = _Failure(_code(error), f"{subject}: {error}")
        tell(f"{_FAILED}{index}", msgspec.json.encode(failure).decode())


def _raise_failure(text: str) -> NoReturn:
    """Raises what another process has failed with, so that this one ends with the same code."""
    failure = records.parsed(text, _Failure)
    if failure.code == machine_errors.EXIT_CODE:
        raise MachineError(failure.text)
    if failure.code == EXIT_CODE:
        raise AbsentError(failure.text)
    raise ConfigError(failure.text)


def in_words(processes: list[int]) -> str:
    """Such as `process 1`, `processes 1 and 3` or `processes 1, 2, 3 and 40 more`."""
    if len(processes) == 1:
        return f"process {processes[0]}"
    first, rest = processes[:3], len(processes) - 3
    last: Any = f"{rest} more" if rest > 0 else first.pop()
    return f"processes {', '.join(map(str, first))} and {last}"


def _heed_failures() -> None:
    failed = told_below(_FAILED)
    failed.pop(company().index, None)
    if failed:
        _raise_failure(failed[min(failed)])


def _code(error: Exception) -> int:
    if of_machine(error) is not None:
        return machine_errors.EXIT_CODE
    return 2 if isinstance(error, ValueError) else EXIT_CODE
