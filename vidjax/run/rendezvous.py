"""How the processes of a job meet before JAX joins them: at HOST:PORT, where process 0 listens.

JAX takes everybody's word for who they are, shares a port with whoever listens there already, and
ends a process that is not as it expects. So the processes meet first, at the same port. Process 0
listens there alone, or not at all. The others say their number. When all are there process 0 lets
them go on, and JAX's own service takes the port over. What is wrong is told to all of them in one
line.

A message is one line of JSON. What does not speak so is no process of a job: process 0 passes it
over, and the others look again until their time is up.
"""

from __future__ import annotations

import contextlib
import os
import platform
import queue
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import msgspec

from vidjax import records
from vidjax.run.process_messages import AbsentError, in_words
from vidjax.run.typed_values import ConfigError
from vidjax.terminal import complain

Message = TypeVar("Message", bound=msgspec.Struct)
# Bytes of a message, and seconds in which one that has begun is expected to be whole.
_LONGEST, _WHOLE_WITHIN = 4096, 5.0
# Seconds between two tries, and for which process 0 waits to tell latecomers what was wrong.
_AGAIN, _LINGER = 0.3, 10.0
_FLAG = "--coordinator_address"
# What may end a process that waits. Its last word is one byte, the number of the signal.
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Address:
    """Where process 0 listens: a name or an address, without brackets, and a port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, flag: str = _FLAG) -> Address:
        """Reads `HOST:PORT`; an IPv6 address stands in brackets.

        Raises:
          ConfigError: it is none; names the flag.
        """
        host, _, port = text.rpartition(":")
        bare = host.removeprefix("[").removesuffix("]")
        bracketed = host == f"[{bare}]"
        if not bare or (":" in bare) != bracketed or not (port.isascii() and port.isdecimal()):
            raise ConfigError(
                f"{flag}={text}: expected HOST:PORT, such as 10.0.0.1:9876 or [::1]:9876"
            )
        if not 0 < int(port) < 2**16:
            raise ConfigError(f"{flag}={text}: a port is a number from 1 to 65535")
        return cls(bare, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class _Hello(msgspec.Struct):
    """What a process says of itself."""

    process: int
    count: int
    where: str


class _Answer(msgspec.Struct):
    """What process 0 says: at first that it waits, then how it ends."""

    waiting: bool = False
    token: str = ""
    fault: str = ""
    absent: bool = False
    signal: int = 0
    process: int = 0


class _SignalledError(Exception):
    """A process got a signal that is to end all of them."""

    def __init__(self, number: int, process: int) -> None:
        super().__init__(f"process {process} got {signal.Signals(number).name} while they met")
        self.number, self.process = number, process


def receive(listens: Address | None, address: Address, count: int, seconds: float) -> str:
    """Waits, as process 0, for the others.

    Args:
      listens: where it listens; None is at all interfaces.
      address: that the others were given.
      count: of processes.
      seconds: to wait for.

    Returns:
      The token of this start of the job, which all processes have got.

    Raises:
      ConfigError: the port is in use, or the processes have other numbers than they should.
      AbsentError: some did not come; names them.
      KeyboardInterrupt: one of them was interrupted.
    """
    with _listening(listens, address) as listener:
        meeting = _Meeting(listener, count)
        if count > 1:
            complain(f"process 0 of {count} waits at {address} for up to {seconds:g} s")
        try:
            with _last_words(lambda number: meeting.dismiss(_Answer(signal=number))):
                meeting.gather(time.monotonic() + seconds)
        except ConfigError as error:
            meeting.dismiss(_Answer(fault=str(error)), linger=min(_LINGER, seconds))
            raise
        except _SignalledError as error:
            meeting.dismiss(_Answer(signal=error.number, process=error.process))
            _end_with(error)
        if absent := meeting.absent():
            fault = f"{in_words(absent)} of {count} did not come to {address} in {seconds:g} s"
            meeting.dismiss(_Answer(fault=fault, absent=True))
            raise AbsentError(fault)
        token = secrets.token_hex(8)
        meeting.dismiss(_Answer(token=token))
        return token


def visit(address: Address, process: int, count: int, seconds: float) -> str:
    """Goes, as another process, to process 0, and waits until all are there.

    Args:
      address: of process 0.
      process: number of this one.
      count: of processes.
      seconds: to wait for.

    Returns:
      The token of this start of the job.

    Raises:
      ConfigError: something is wrong with the processes, or somebody else is at the address.
      AbsentError: process 0 or another process did not come.
      KeyboardInterrupt: one of them was interrupted.
    """
    complain(f"process {process} of {count} waits at {address} for up to {seconds:g} s")
    end, strange = time.monotonic() + seconds, False
    while (left := end - time.monotonic()) > 0:
        try:
            return _visit(address, _Hello(process, count, _where()), left)
        except OSError:
            pass
        except records.RecordError:
            if not strange:
                complain(f"{address} is in use, and not by a process 0 that waits; trying again")
            strange = True
        time.sleep(_AGAIN)
    if strange:
        raise ConfigError(
            f"{_FLAG}={address} is in use by another program, or by a job that is running; end it, "
            "or give another port"
        )
    raise AbsentError(
        f"process 0 did not answer at {address} in {seconds:g} s; {_FLAG} is its address, and a "
        "port that is open between the machines"
    )


def _visit(address: Address, hello: _Hello, seconds: float) -> str:
    with socket.create_connection((address.host, address.port), timeout=_WHOLE_WITHIN) as there:
        try:
            _hear(there, _Answer)
        except TimeoutError:
            raise records.RecordError("no message") from None
        _say(there, hello)
        # Process 0 is the first to lose its patience, and says so.
        there.settimeout(seconds + _WHOLE_WITHIN)
        with _last_words(lambda number: there.sendall(bytes([number]))):
            answer = _hear(there, _Answer)
    if answer.signal in _SIGNALS:
        _end_with(_SignalledError(answer.signal, answer.process))
    if answer.absent:
        raise AbsentError(answer.fault)
    if answer.fault:
        raise ConfigError(answer.fault)
    return answer.token


class _Meeting:
    """Who has come to process 0."""

    def __init__(self, listener: socket.socket, count: int) -> None:
        self._listener, self._count = listener, count
        self._came: queue.Queue[tuple[socket.socket, _Hello]] = queue.Queue()
        self._guests: dict[int, tuple[socket.socket, _Hello]] = {}
        # Whoever has a wrong number is told what is wrong, too.
        self._others: list[socket.socket] = []

    def absent(self) -> list[int]:
        """Numbers of the processes that are not here."""
        return sorted(set(range(1, self._count)) - self._guests.keys())

    def gather(self, end: float) -> None:
        """Lets processes in until all are there, or time is up.

        Raises:
          ConfigError: one has a number that is taken, or beyond those of the job.
          _SignalledError: one got a signal that ends all.
        """
        while time.monotonic() < end and self.absent():
            self._accept()
            self._forget_who_left()
            while not self._came.empty():
                self._seat(*self._came.get())

    def dismiss(self, answer: _Answer, linger: float = 0) -> None:
        """Tells everybody how it ends, and for a while whoever is late."""
        end = time.monotonic() + linger
        told: set[int] = set()
        while True:
            for number, (connection, _) in self._guests.items():
                told.add(number)
                _part(connection, answer)
            for connection in self._others:
                _part(connection, answer)
            self._guests, self._others = {}, []
            if time.monotonic() > end or len(told) >= self._count - 1:
                return
            self._accept()
            while not self._came.empty():
                connection, hello = self._came.get()
                self._guests[hello.process] = (connection, hello)

    def _accept(self) -> None:
        with contextlib.suppress(TimeoutError):
            connection, _ = self._listener.accept()
            threading.Thread(target=self._let_in, args=(connection,), daemon=True).start()

    def _let_in(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(_WHOLE_WITHIN)
            _say(connection, _Answer(waiting=True))
            self._came.put((connection, _hear(connection, _Hello)))
        except (OSError, records.RecordError):
            connection.close()

    def _seat(self, connection: socket.socket, hello: _Hello) -> None:
        number, count = hello.process, self._count
        fault = ""
        if hello.count != count:
            fault = (
                f"--num_processes is {count} in process 0 and {hello.count} in process {number} "
                f"({hello.where})"
            )
        elif not 0 < number < count:
            fault = (
                f"--process_id={number} ({hello.where}): the ids of --num_processes={count} are 0 "
                f"to {count - 1}, each once"
            )
        elif number in self._guests:
            first = self._guests[number][1]
            fault = (
                f"--process_id={number} was given to two processes: {first.where} and {hello.where}"
            )
        if fault:
            self._others.append(connection)
            raise ConfigError(fault)
        self._guests[number] = (connection, hello)

    def _forget_who_left(self) -> None:
        for number, (connection, _) in list(self._guests.items()):
            if (word := _last_word(connection)) is not None:
                connection.close()
                del self._guests[number]
                if word in [bytes([each]) for each in _SIGNALS]:
                    raise _SignalledError(word[0], number)


@contextlib.contextmanager
def _listening(listens: Address | None, address: Address) -> Iterator[socket.socket]:
    """A socket that listens where nobody else does."""
    try:
        listener = _open(listens, address.port)
    except OSError as error:
        # Python's own text repeats the address.
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigError(
            f"process 0 cannot listen at {listens or f'port {address.port}'}: {reason}. End the "
            "program or the job that is there, or give another port"
        ) from None
    with listener:
        listener.settimeout(0.2)
        yield listener


def _open(listens: Address | None, port: int) -> socket.socket:
    if listens is None:
        both = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        return socket.create_server(("", port), family=family, dualstack_ipv6=both, backlog=4096)
    family = socket.AF_INET6 if ":" in listens.host else socket.AF_INET
    return socket.create_server((listens.host, port), family=family, backlog=4096)


def _last_word(connection: socket.socket) -> bytes | None:
    """What a guest has left with, often nothing; None where it is still here."""
    connection.setblocking(False)
    try:
        return connection.recv(1)
    except BlockingIOError:
        return None
    except OSError:
        return b""


@contextlib.contextmanager
def _last_words(say: Callable[[int], object]) -> Iterator[None]:
    """Says which signal ends this process, if one does in the context."""
    try:
        yield
    except Exception:
        raise
    # Whatever a program raises for SIGTERM.
    except BaseException as error:
        with contextlib.suppress(OSError):
            say(signal.SIGINT if isinstance(error, KeyboardInterrupt) else signal.SIGTERM)
        raise


def _end_with(other: _SignalledError) -> NoReturn:
    """Ends this process as if it had got the signal that another one got.

    Raises:
      KeyboardInterrupt: that was Ctrl-C.
      BaseException: whatever this program raises for SIGTERM.
      AbsentError: it raises nothing.
    """
    complain(f"{other}: this one ends with it")
    if other.number == signal.SIGINT:
        raise KeyboardInterrupt
    signal.raise_signal(other.number)
    raise AbsentError(f"{other}")


def _where() -> str:
    return f"process {os.getpid()} of {platform.node()}"


def _say(connection: socket.socket, message: msgspec.Struct) -> None:
    connection.sendall(msgspec.json.encode(message) + b"\n")


def _part(connection: socket.socket, message: msgspec.Struct) -> None:
    with contextlib.suppress(OSError), connection:
        connection.settimeout(_WHOLE_WITHIN)
        _say(connection, message)


def _hear(connection: socket.socket, kind: type[Message]) -> Message:
    """The next message.

    Raises:
      RecordError: it is none.
      OSError: the connection is lost.
    """
    line = b""
    while not line.endswith(b"\n"):
        # Byte by byte: what comes after the line is none of ours to take.
        piece = connection.recv(1)
        if not piece:
            raise ConnectionError("closed") if not line else records.RecordError("no message")
        line += piece
        if len(line) > _LONGEST:
            raise records.RecordError("no message")
    return records.parsed(line, kind)
