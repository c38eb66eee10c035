"""Flags of entry points that run as one process of several, and how such a process ends."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable

from absl import flags

from vidjax.run import machine_errors, process_messages
from vidjax.run.machine_errors import of_machine
from vidjax.run.process_messages import AbsentError
from vidjax.run.processes import DAYS, EXIT_CODE, Job, all_end, meet

from . import signal_handling
from .job_shutdown import Leaving

_COORDINATOR = flags.DEFINE_string("coordinator_address", None, "HOST:PORT of process 0")
_PROCESSES = flags.DEFINE_integer("num_processes", None, "processes of the job", lower_bound=1)
_PROCESS = flags.DEFINE_integer("process_id", None, "number of this one, from 0", lower_bound=0)
_DISTRIBUTED = flags.DEFINE_bool(
    "distributed",
    None,
    "join the processes that SLURM, a TPU slice or Open MPI started; by default where there are "
    "several",
)
_JOIN = flags.DEFINE_integer(
    "join_timeout",
    process_messages.PATIENCE,
    "seconds for which the processes of a job wait for one another at its start",
    lower_bound=1,
)
_HEARTBEAT = flags.DEFINE_integer(
    "heartbeat_timeout",
    100,
    "seconds without a sign of life after which a process is dead; a sign is given every half of "
    "them, so that a process may pause for half of them",
    lower_bound=1,
)
_BIND = flags.DEFINE_string(
    "coordinator_bind_address",
    None,
    "HOST:PORT where process 0 listens, such as 0.0.0.0:9876 for all interfaces; by default the "
    "coordinator's address, where it is one of this machine",
)


def in_company(
    main: Callable[[], int | None], terminated: int = signal_handling.TERMINATED
) -> Callable[[], int | None]:
    """An entry point that first joins the other processes of its job, where there are any.

    Args:
      main: the entry point.
      terminated: exit code of all processes where SIGTERM ends one.
    """

    def joined() -> int | None:
        Job(
            _COORDINATOR.value,
            _PROCESSES.value,
            _PROCESS.value,
            _DISTRIBUTED.value,
            _HEARTBEAT.value,
            _JOIN.value,
            _BIND.value,
        ).join()
        return main() if process_messages.alone() else _together(main, terminated)

    return joined


def _together(main: Callable[[], int | None], terminated: int) -> int | None:
    """Runs an entry point as one of several processes, and ends when all of them do."""
    leaving = Leaving()
    with leaving.heard():
        try:
            code = main()
            # JAX's own end waits for a heartbeat's time alone, and a last report may take longer.
            meet("end", DAYS)
        except signal_handling.Terminated:
            leaving.lead(terminated, signal_handling.told(terminated))
        except Exception as error:
            _end(leaving, error)
            raise
    return code


def _end(leaving: Leaving, error: Exception) -> None:
    """Ends a process that the others do not follow; returns where all end alike.

    What is wrong for all, such as a setting, is told as if there were one process.
    """
    leaving.follow_others()
    together = _all_end(error)
    leaving.follow_others()
    if together:
        return
    # These are told in full below.
    if not isinstance(error, AbsentError | OSError | ValueError):
        traceback.print_exc()
    here = process_messages.company()
    leaving.lead(
        EXIT_CODE if of_machine(error) is None else machine_errors.EXIT_CODE,
        f"error: process {here.index} of {here.count} cannot go on: {error}. Where another one has "
        "ended, its messages say why. Start all of them again: the job goes on from its last "
        "checkpoint",
    )


def _all_end(error: Exception) -> bool:
    # Where process 0 is gone, nothing can be said or heard.
    with contextlib.suppress(Exception):
        process_messages.fail(error)
        return not isinstance(error, AbsentError) and all_end()
    return False
