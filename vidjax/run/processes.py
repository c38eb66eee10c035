"""A job of several processes: how they find one another, and who does what first.

Every process runs the same program. Process 0 alone writes what people read; the others compute,
read their rows of each batch, and write their part of a checkpoint.
"""

from __future__ import annotations

import contextlib
import glob
import importlib.util
import itertools
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

from vidjax import hanging
from vidjax.run.config import ConfigError

T = TypeVar("T")
# What a process exits with when it lost the others: "service unavailable" in sysexits.h.
EXIT_CODE = 69
# Data sets of a few hundred thousand videos are prepared in that time.
_LONGEST_WAIT = 7 * 24 * 3600
_waits = itertools.count()


@dataclass(frozen=True)
class Job:
    """What a command line says of the job that a process belongs to.

    Attributes:
      coordinator_address: HOST:PORT of process 0.
      num_processes: in the job.
      process_id: of this one, from 0.
      distributed: True joins what the launcher (SLURM, a TPU slice, Open MPI) says, False stays
        alone, None joins where a launcher started several processes.
      heartbeat_timeout: seconds without a sign of life after which a process counts as dead.
    """

    coordinator_address: str | None = None
    num_processes: int | None = None
    process_id: int | None = None
    distributed: bool | None = None
    heartbeat_timeout: int = 100

    def join(self) -> None:
        """Connects this process with the others; to be called before anything is computed.

        Raises:
          ConfigError: the processes are not known; it says which flags name them.
        """
        stated = (self.coordinator_address, self.num_processes, self.process_id)
        if stated == (None, None, None):
            self._join_found()
        elif None in stated or self.distributed is False:
            raise ConfigError(
                "--coordinator_address, --num_processes and --process_id go together, and not "
                "with --nodistributed"
            )
        else:
            # A launcher's own idea of devices would leave each process a single one.
            self._initialize("deactivate")

    def _join_found(self) -> None:
        found = launcher()
        if self.distributed is False or not (self.distributed or found):
            return
        try:
            self._initialize()
        # A machine with a TPU need not be one of several.
        except ValueError as error:
            if self.distributed or found != "TPU":
                raise ConfigError(
                    f"JAX does not find the other processes ({error}): give "
                    "--coordinator_address=HOST:PORT, --num_processes=N and --process_id=K, or "
                    "--nodistributed"
                ) from None

    def _initialize(self, detection: str | None = None) -> None:
        before = signal.getsignal(signal.SIGTERM)
        jax.distributed.initialize(
            self.coordinator_address,
            self.num_processes,
            self.process_id,
            cluster_detection_method=detection,
            coordinator_bind_address=_listens_at(self.coordinator_address),
            heartbeat_timeout_seconds=self.heartbeat_timeout,
            shutdown_timeout_seconds=self.heartbeat_timeout,
        )
        # JAX would note SIGTERM from here on and do nothing.
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _listens_at(coordinator: str | None) -> str | None:
    """Where process 0 listens: at the address that it was given, if that is one of this machine.

    JAX itself would listen on all interfaces. Where the address is not this machine's, as behind a
    router, or no address is given, it does.
    """
    host, _, port = (coordinator or "").rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except OSError:
        return None
    for family, _kind, _protocol, _name, (address, *_) in found if host else []:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as probe:
            # Any port: whether the address is here is asked, not whether the port is free.
            probe.bind((address, 0))
            return f"[{address}]:{port}" if family == socket.AF_INET6 else f"{address}:{port}"
    return None


def launcher() -> str | None:
    """What started this process as one of several, or None."""
    for name, variable in (("SLURM", "SLURM_STEP_NUM_TASKS"), ("MPI", "OMPI_COMM_WORLD_SIZE")):
        if int(os.environ.get(variable) or 1) > 1:
            return name
    # Which slice a TPU belongs to is asked of its machine, by JAX.
    chips = glob.glob("/dev/accel[0-9]*") + glob.glob("/dev/vfio/[0-9]*")
    return "TPU" if chips and importlib.util.find_spec("libtpu") else None


def is_first() -> bool:
    """Whether this process writes what people read."""
    return jax.process_index() == 0


def first_says(value: bool) -> bool:
    """What process 0 gave, in every process."""
    if jax.process_count() == 1:
        return value
    return bool(multihost_utils.broadcast_one_to_all(np.array(value)))


def after_first(work: Callable[[], T], what: str) -> T:
    """Does work that writes in process 0, then in the others, which find it done.

    Args:
      work: may take days in process 0; the others wait.
      what: names it in errors.

    Raises:
      ConfigError: it failed in process 0, where its own error is raised.
    """
    if jax.process_count() == 1:
        return work()
    result, error = _attempt(work) if is_first() else (None, None)
    with contextlib.nullcontext() if is_first() else hanging.paused():
        _meet(what, _LONGEST_WAIT)
    failed = first_says(error is not None)
    if error:
        raise error
    if failed:
        raise ConfigError(f"process 0 could not do its part: {what}; its own message says why")
    return result if is_first() else work()  # type: ignore[return-value]


def all_end(seconds: int = 5) -> bool:
    """Whether every process is about to end, as this one; looks for so long."""
    try:
        _meet("end", seconds)
    # It failed, whatever JAX makes of that.
    except Exception:
        return False
    return True


def _meet(what: str, seconds: int) -> None:
    """Waits for all processes, on the host: devices would cut a wait short by their own limits."""
    barrier = ocp.multihost.get_barrier_sync_fn()
    barrier(key=f"{what} {next(_waits)}", timeout_ms=1000 * seconds)


def _attempt(work: Callable[[], T]) -> tuple[T | None, Exception | None]:
    try:
        return work(), None
    except Exception as error:
        return None, error
