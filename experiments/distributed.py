"""Flags of commands that run as one process of several, and how such a process ends."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable

from absl import flags

from vidjax.run import machine_errors, process_messages
from vidjax.run.machine_errors import of_machine
from vidjax.run.process_messages import AbsentError
from vidjax.run.processes import DAYS, EXIT_CODE, Job, all_end, barrier

from . import help_text, signal_handling
from .job_shutdown import JobShutdown

_COORDINATOR = flags.DEFINE_string(
    "coordinator_address", None, "HOST:PORT: Address of process 0, through which all others join."
)
_PROCESSES = flags.DEFINE_integer(
    "num_processes", None, "Number of processes of the job.", lower_bound=1
)
_PROCESS = flags.DEFINE_integer(
    "process_id", None, "Number of this process, counted from 0.", lower_bound=0
)
_DISTRIBUTED = flags.DEFINE_bool(
    "distributed",
    None,
    "Joins the processes that SLURM, a TPU slice or Open MPI has started. By default it does so if "
    "there are several.",
)
_JOIN = flags.DEFINE_integer(
    "join_timeout",
    process_messages.TIMEOUT,
    "SECONDS: How long the processes of a job wait for one another at the start.",
    lower_bound=1,
)
_HEARTBEAT = flags.DEFINE_integer(
    "heartbeat_timeout",
    100,
    "SECONDS: How long a process may stay silent before the others take it for dead. Each process "
    "gives a sign of life twice in this time, so it may pause for half of it.",
    lower_bound=1,
)
_BIND = flags.DEFINE_string(
    "coordinator_bind_address",
    None,
    "HOST:PORT: Where process 0 listens, such as 0.0.0.0:9876 for all interfaces. By default it "
    "listens on the coordinator's address if this machine has that address.",
)
help_text.group(
    "Several processes",
    *(_COORDINATOR, _PROCESSES, _PROCESS, _DISTRIBUTED, _JOIN, _HEARTBEAT, _BIND),
)


def as_job_process(
    main: Callable[[], int | None], terminated: int = signal_handling.TERMINATED
) -> Callable[[], int | None]:
    """Wraps a command so that it first joins the other processes of its job, if there are any.

    Args:
      main: the command.
      terminated: exit code of all processes after SIGTERM ends one of them.
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
    """Runs a command as one of several processes, and ends together with all of them."""
    shutdown = JobShutdown()
    with shutdown.watching():
        try:
            code = main()
            # At exit JAX waits only one heartbeat timeout; a last report may take longer.
            barrier("end", DAYS)
        except signal_handling.Terminated:
            shutdown.end_all(terminated, signal_handling.told(terminated))
        except Exception as error:
            _end(shutdown, error)
            raise
    return code


def _end(shutdown: JobShutdown, error: Exception) -> None:
    """Ends this process and the others; returns if all of them have failed in the same way.

    An error that all processes have, such as a wrong setting, is printed as if there were one.
    """
    shutdown.end_with_others()
    together = _all_end(error)
    shutdown.end_with_others()
    if together:
        return
    # These errors are printed in full below.
    if not isinstance(error, AbsentError | OSError | ValueError):
        traceback.print_exc()
    here = process_messages.process_group()
    shutdown.end_all(
        EXIT_CODE if of_machine(error) is None else machine_errors.EXIT_CODE,
        f"error: process {here.index} of {here.count} cannot continue: {error}. If another process "
        "has ended, its messages say why. Start all of them again: the job continues from its last "
        "checkpoint",
    )


def _all_end(error: Exception) -> bool:
    # If process 0 is gone, no message can be sent or received.
    with contextlib.suppress(Exception):
        process_messages.fail(error)
        return not isinstance(error, AbsentError) and all_end()
    return False
