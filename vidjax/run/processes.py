"""A job of several processes: how they find one another, and who does what first.

Every process runs the same program. Only process 0 writes what people read. The others compute,
read their rows of each batch, and write their part of a checkpoint.
"""

from __future__ import annotations

import contextlib
import glob
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from vidjax import watchdog
from vidjax.installed_packages import is_installed
from vidjax.run import process_messages, rendezvous
from vidjax.run.process_messages import EXIT_CODE as EXIT_CODE
from vidjax.run.process_messages import TIMEOUT, AbsentError, ProcessGroup
from vidjax.run.rendezvous import Address
from vidjax.run.typed_values import ConfigError
from vidjax.terminal import complain

T = TypeVar("T")
# Seconds that the others give process 0 for work that it does alone, and for preparing a data set.
SOME_TIME, DAYS = 3600, 7 * 24 * 3600


@dataclass(frozen=True)
class Job:
    """The job that a process belongs to, as stated on the command line.

    Attributes:
      coordinator_address: HOST:PORT of process 0.
      num_processes: number of processes in the job.
      process_id: index of this process, from 0.
      distributed: True joins the job of the launcher (SLURM, a TPU slice, Open MPI), False stays
        alone, None joins if a launcher started several processes.
      heartbeat_timeout: seconds without a heartbeat after which a process counts as dead. JAX sends
        one every half of that time, so a process may pause for half of it.
      join_timeout: seconds that the processes wait for one another.
      bind_address: HOST:PORT where process 0 listens; None is `coordinator_address`.
    """

    coordinator_address: str | None = None
    num_processes: int | None = None
    process_id: int | None = None
    distributed: bool | None = None
    heartbeat_timeout: int = 100
    join_timeout: int = TIMEOUT
    bind_address: str | None = None

    def join(self) -> None:
        """Connects this process with the others; call it before anything is computed.

        Raises:
          ConfigError: the processes are not known, and the error says which flags name them; or
            they have the wrong numbers; or the port is in use.
          AbsentError: some processes do not arrive.
        """
        stated = (self.coordinator_address, self.num_processes, self.process_id)
        if stated == (None, None, None):
            self._join_found()
        elif (
            self.coordinator_address is None
            or self.num_processes is None
            or self.process_id is None
            or self.distributed is False
        ):
            raise ConfigError(
                "--coordinator_address, --num_processes and --process_id go together, and not "
                "with --nodistributed"
            )
        else:
            address = Address.parse(self.coordinator_address)
            self._join_stated(address, self.num_processes, self.process_id)

    def _join_stated(self, address: Address, count: int, index: int) -> None:
        listens = self._listens() or _listens_at(str(address))
        if index == 0:
            if listens is None and count > 1:
                complain(f"process 0 listens on all interfaces: {address.host} is none of them")
            place = Address.parse(listens) if listens else None
            token = rendezvous.receive(place, address, count, self.join_timeout)
        elif index < count:
            token = rendezvous.visit(address, index, count, self.join_timeout)
        else:
            # Process 0 must tell the others, and may arrive later than this one.
            with contextlib.suppress(AbsentError):
                rendezvous.visit(address, index, count, self.join_timeout)
            raise ConfigError(f"--process_id={index} is not below --num_processes={count}")
        # A launcher's own choice of devices would give each process a single one.
        self._initialize("deactivate", listens)
        process_messages.set_process_group(ProcessGroup(count, index, self.join_timeout, token))

    def _listens(self) -> str | None:
        """Returns the address where process 0 listens, as the command line states it."""
        if self.bind_address is None:
            return None
        return str(Address.parse(self.bind_address, "--coordinator_bind_address"))

    def _join_found(self) -> None:
        found = launcher()
        if self.distributed is False or not (self.distributed or found):
            return
        # A TPU may be alone; JAX finds out from the machine.
        if found in ("SLURM", "MPI"):
            complain(f"waiting up to {self.join_timeout} s for the processes that {found} started")
        try:
            self._initialize(None, self._listens())
        # A machine with a TPU need not be one of several.
        except ValueError as error:
            if self.distributed or found != "TPU":
                raise ConfigError(
                    f"JAX does not find the other processes ({error}): pass "
                    "--coordinator_address=HOST:PORT, --num_processes=N and --process_id=K, or "
                    "--nodistributed"
                ) from None
            return
        process_messages.set_process_group(
            ProcessGroup(jax.process_count(), jax.process_index(), self.join_timeout)
        )

    def _initialize(self, detection: str | None, listens: str | None) -> None:
        before = signal.getsignal(signal.SIGTERM)
        try:
            jax.distributed.initialize(
                self.coordinator_address,
                self.num_processes,
                self.process_id,
                cluster_detection_method=detection,
                coordinator_bind_address=listens,
                initialization_timeout=self.join_timeout,
                heartbeat_timeout_seconds=self.heartbeat_timeout,
                shutdown_timeout_seconds=self.heartbeat_timeout,
            )
        except jax.errors.JaxRuntimeError as error:
            reason = str(error).splitlines()[0]
            raise AbsentError(f"JAX could not join the processes of this job: {reason}") from None
        # From here on JAX would catch SIGTERM and do nothing.
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _listens_at(coordinator: str | None) -> str | None:
    """Returns where process 0 listens: its given address, if that belongs to this machine.

    Otherwise, as behind a router or without an address, it listens on all interfaces, as JAX does.
    """
    host, _, port = (coordinator or "").rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except OSError:
        return None
    for family, _kind, _protocol, _name, (address, *_) in found if host else []:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as probe:
            # Any port will do: the test is whether the address belongs here, not whether the port
            # is free.
            probe.bind((address, 0))
            return f"[{address}]:{port}" if family == socket.AF_INET6 else f"{address}:{port}"
    return None


def launcher() -> str | None:
    """Names the launcher that started this process as one of several, or returns None."""
    for name, variable in (("SLURM", "SLURM_STEP_NUM_TASKS"), ("MPI", "OMPI_COMM_WORLD_SIZE")):
        if int(os.environ.get(variable) or 1) > 1:
            return name
    # JAX finds out from the machine which slice a TPU belongs to.
    chips = glob.glob("/dev/accel[0-9]*") + glob.glob("/dev/vfio/[0-9]*")
    return "TPU" if chips and is_installed("libtpu") else None


def is_first() -> bool:
    """Returns whether this process writes logs and reports."""
    return process_messages.process_group().index == 0


def broadcast_from_first(value: bool) -> bool:
    """Broadcasts a value from process 0; returns it in every process."""
    if process_messages.alone():
        return value
    key = process_messages.next_key("what process 0 says")
    if is_first():
        process_messages.set_text(key, str(value))
    return _from_first(key, SOME_TIME) == "True"


def after_first(work: Callable[[], T], what: str, seconds: float = SOME_TIME) -> T:
    """Does work in process 0 first, so that the others find its files, and then in the others.

    Args:
      work: may take long in process 0, while the others wait.
      what: fixed name of the work, used in errors.
      seconds: time limit of the others.

    Raises:
      ValueError, OSError: the work failed in process 0, which raises its own error; the others
        raise one with the same exit code.
      AbsentError: the work is not done in time.
    """
    if process_messages.alone():
        return work()
    key = process_messages.next_key(what)
    if is_first():
        try:
            result = work()
        except Exception as error:
            process_messages.fail(error, f"could not do its part: {what}")
            raise
        process_messages.set_text(key, "done")
        return result
    # Process 0 has its own watchdog.
    with watchdog.paused():
        _from_first(key, seconds)
    return work()


def barrier(what: str, seconds: float = SOME_TIME) -> None:
    """Waits until all processes have arrived.

    Args:
      what: fixed name of the barrier, used in errors.
      seconds: time limit.

    Raises:
      AbsentError: some processes did not arrive in time, or are lost; names them.
      ValueError, OSError: another process has failed; says why.
    """
    if not process_messages.alone():
        # A process that does not arrive has its own watchdog.
        with watchdog.paused():
            process_messages.exchange(what, "", lambda key, said: "all", seconds)


def all_end(seconds: float = 5) -> bool:
    """Returns whether every process is about to end, like this one; waits for at most `seconds`."""
    try:
        process_messages.exchange("the end", "", lambda key, said: "all", seconds, heed=False)
    # A failure of any kind means that some process has not ended normally.
    except Exception:
        return False
    return True


def open_connections() -> None:
    """Opens the connections between devices while all processes are running.

    A transport gives up on a process whose first message is half a minute late.
    """
    if not process_messages.alone():
        barrier("the first messages", process_messages.process_group().timeout)
        multihost_utils.process_allgather(np.zeros(()))


def _from_first(key: str, seconds: float) -> str:
    """Reads the text that process 0 sets under a key."""
    what = key.rpartition("/")[0]
    late = f"process 0 has not finished {what} within {seconds:g} s"
    return process_messages.wait(lambda: process_messages.get_text(key), seconds, lambda: late)
