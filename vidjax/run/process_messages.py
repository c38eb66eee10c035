"""Messages between the processes of a job: short texts under keys.

JAX's coordination service in process 0 keeps the texts. Devices are not involved, so processes with
different devices, settings or speeds can still communicate, and no transport timeout ends a wait
early. Keys are fixed: they contain no path, and nothing else that could differ between processes.
Every wait has a limit, and ends at once if another process has failed.
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
# Exit code of a process that lost the others: "service unavailable" in sysexits.h.
EXIT_CODE = 69
# Default number of seconds that processes wait for one another.
TIMEOUT = 300
# Seconds between two reads of a key, at first and at most.
_SOON, _SELDOM = 0.02, 0.5
_FAILED, _USES = "failed/", collections.Counter[str]()


class AbsentError(RuntimeError):
    """Other processes of the job did not arrive in time, or were lost."""


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of a job, and which of them this one is.

    Attributes:
      count: number of processes.
      index: index of this process, from 0.
      timeout: seconds that the processes wait for one another.
      token: drawn by process 0 for this start of the job; empty if a launcher joins the processes.
    """

    count: int = 1
    index: int = 0
    timeout: int = TIMEOUT
    token: str = ""


class _Failure(msgspec.Struct):
    """The error of a process that is ending."""

    code: int
    text: str


_group: ProcessGroup | None = None


def set_process_group(group: ProcessGroup) -> None:
    """Sets the job that this process belongs to."""
    global _group
    _group = group


def process_group() -> ProcessGroup:
    """Returns the job of this process, even if something else has joined the processes."""
    if _group is not None:
        return _group
    if not jax.distributed.is_initialized():
        return ProcessGroup()
    return ProcessGroup(jax.process_count(), jax.process_index())


def alone() -> bool:
    """Returns whether this process is the only one of its job."""
    return process_group().count == 1


def next_key(what: str) -> str:
    """Returns a key for this use of a name: uses of the same name are numbered from the first."""
    _USES[what] += 1
    return f"{what}/{_USES[what]}"


def set_text(key: str, text: str) -> None:
    """Sets the text under a key, and replaces an earlier one."""
    ocp.multihost.get_jax_distributed_client().key_value_set(key, text, allow_overwrite=True)


def get_text(key: str) -> str | None:
    """Returns the text under a key, or None."""
    try:
        return str(ocp.multihost.get_jax_distributed_client().key_value_try_get(key))
    except jax.errors.JaxRuntimeError as error:
        if "NOT_FOUND" in str(error):
            return None
        raise


def get_texts(prefix: str) -> dict[int, str]:
    """Returns the texts under `prefix`, which ends with a slash, by process."""
    found = ocp.multihost.get_jax_distributed_client().key_value_dir_get(prefix)
    return {int(key.rpartition("/")[2]): text for key, text in found}


def wait(
    look: Callable[[], T | None], seconds: float, late: Callable[[], str], *, heed: bool = True
) -> T:
    """Polls until there is a result.

    Args:
      look: returns the result, or None.
      seconds: time limit.
      late: makes the message for the error if there is no result by then.
      heed: whether to stop at once when another process has failed.

    Raises:
      AbsentError: there is no result in time, or another process is lost.
      ConfigError: another process has refused its input.
      MachineError: another process had an error of its machine.
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
    """Waits for a text from every process, and lets process 0 answer.

    Args:
      what: fixed name of the exchange, used in errors.
      mine: text of this process; short, since process 0 reads all of them.
      judge: called in process 0 with the key and the texts by process; returns the answer.
      seconds: time to wait for the others; None is the job's `timeout`.
      heed: as in `wait`.

    Returns:
      The answer, in every process.

    Raises:
      AbsentError: processes are missing; names them.
      ValueError, OSError: as in `wait`.
    """
    here, key = process_group(), next_key(what)
    limit = here.timeout if seconds is None else seconds
    set_text(f"{key}/said/{here.index}", mine)
    if here.index:
        return wait(
            lambda: get_text(f"{key}/answer"),
            limit,
            lambda: f"process 0 did not come to {what} within {limit:g} s",
            heed=heed,
        )

    def all_said() -> dict[int, str] | None:
        said = get_texts(f"{key}/said/")
        return said if len(said) == here.count else None

    def missing() -> str:
        absent = sorted(set(range(here.count)) - get_texts(f"{key}/said/").keys())
        return f"{in_words(absent)} did not come to {what} within {limit:g} s"

    answer = judge(key, wait(all_said, limit, missing, heed=heed))
    set_text(f"{key}/answer", answer)
    return answer


def fail(error: Exception, doing: str = "") -> None:
    """Tells the other processes why this one ends; those that wait end too. Only once.

    Args:
      error: the error of this process.
      doing: the failed work, such as `could not do its part: NAME`, put before the error.
    """
    index = process_group().index
    if get_text(f"{_FAILED}{index}") is None:
        subject = f"process {index} {doing}" if doing else f"process {index}"
        failure = _Failure(_code(error), f"{subject}: {error}")
        set_text(f"{_FAILED}{index}", msgspec.json.encode(failure).decode())


def _raise_failure(text: str) -> NoReturn:
    """Raises the failure of another process, so that this one exits with the same code."""
    failure = records.parsed(text, _Failure)
    if failure.code == machine_errors.EXIT_CODE:
        raise MachineError(failure.text)
    if failure.code == EXIT_CODE:
        raise AbsentError(failure.text)
    raise ConfigError(failure.text)


def in_words(processes: list[int]) -> str:
    """Names processes, such as `process 1`, `processes 1 and 3` or `processes 1, 2 and 40 more`."""
    if len(processes) == 1:
        return f"process {processes[0]}"
    first, rest = processes[:3], len(processes) - 3
    last: Any = f"{rest} more" if rest > 0 else first.pop()
    return f"processes {', '.join(map(str, first))} and {last}"


def _heed_failures() -> None:
    failed = get_texts(_FAILED)
    failed.pop(process_group().index, None)
    if failed:
        _raise_failure(failed[min(failed)])


def _code(error: Exception) -> int:
    if of_machine(error) is not None:
        return machine_errors.EXIT_CODE
    return 2 if isinstance(error, ValueError) else EXIT_CODE
