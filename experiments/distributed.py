"""Flags of entry points that run as one process of several, and how such a process ends."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

import jax
from absl import flags

from vidjax.run.processes import EXIT_CODE, Job, all_end
from vidjax.terminal import complain

_COORDINATOR = flags.DEFINE_string("coordinator_address", None, "HOST:PORT of process 0")
_PROCESSES = flags.DEFINE_integer("num_processes", None, "processes of the job", lower_bound=1)
_PROCESS = flags.DEFINE_integer("process_id", None, "number of this one, from 0", lower_bound=0)
_DISTRIBUTED = flags.DEFINE_bool(
    "distributed",
    None,
    "join the processes that SLURM, a TPU slice or Open MPI started; by default where there are "
    "several",
)
_HEARTBEAT = flags.DEFINE_integer(
    "heartbeat_timeout", 100, "seconds of silence after which a process is dead", lower_bound=1
)


def in_company(main: Callable[[], int | None]) -> Callable[[], int | None]:
    """An entry point that first joins the other processes of its job, where there are any."""

    def joined() -> int | None:
        Job(
            _COORDINATOR.value,
            _PROCESSES.value,
            _PROCESS.value,
            _DISTRIBUTED.value,
            _HEARTBEAT.value,
        ).join()
        try:
            return main()
        except Exception as error:
            # What is wrong for all, such as a setting, is told as if there were one process.
            if jax.process_count() > 1 and not all_end():
                _leave(error)
            raise

    return joined


def _leave(error: Exception) -> NoReturn:
    """Ends a process that the others do not follow; the usual end would wait for them."""
    # These are told in full below.
    if not isinstance(error, OSError | ValueError):
        traceback.print_exc()
    complain(
        f"error: process {jax.process_index()} of {jax.process_count()} cannot go on: {error}. "
        "Where another one has ended, its messages say why. Start all of them again: the job goes "
        "on from its last checkpoint"
    )
    sys.stdout.flush()
    os._exit(EXIT_CODE)
