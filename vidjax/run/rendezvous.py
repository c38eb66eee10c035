"""The rendezvous of a job's processes before JAX joins them: at HOST:PORT of process 0.

JAX does not check which processes connect, shares a port with whatever already listens there, and
aborts a process with unexpected settings. So the processes meet first, at the same port. Process 0
listens there exclusively or fails. The others send their number. When all are there, process 0 lets
them go on, and JAX's own service takes over the port. If something is wrong, every process reports
it in one line.

A message is one line of JSON. Anything else is not a process of a job: process 0 ignores it, and
the others try again until their time is up.
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
# Largest message in bytes, and seconds within which a message that has begun must be complete.
_LONGEST, _WHOLE_WITHIN = 4096, 5.0
# Seconds between two attempts, and for which process 0 waits to tell latecomers what is wrong.
_AGAIN, _LINGER = 0.3, 10.0
_FLAG = "--coordinator_address"
# Signals that may end a waiting process. Before it ends it sends one byte, the signal's number.
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Address:
    """Where process 0 listens: a host name or address, without brackets, and a port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, flag: str = _FLAG) -> Address:
        """Parses `HOST:PORT`; an IPv6 address is in brackets.

        Raises:
          ConfigError: the text has another form; names the flag.
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
    """The message of a process to process 0."""

    process: int
    count: int
    where: str


class _Answer(msgspec.Struct):
    """The messages of process 0: first that it waits, then the result."""

    waiting: bool = False
    token: str = ""
    fault: str = ""
    absent: bool = False
    signal: int = 0
    process: int = 0


class _SignalledError(Exception):
    """A process got a signal that must end all of them."""

    def __init__(self, number: int, process: int) -> None:
        super().__init__(f"process {process} got {signal.Signals(number).name} at the rendezvous")
        self.number, self.process = number, process


def receive(listens: Address | None, address: Address, count: int, seconds: float) -> str:
    """Waits for the other processes; called in process 0.

    Args:
      listens: address to listen at; None means all interfaces.
      address: address that the others were given.
      count: number of processes.
      seconds: time limit.

    Returns:
      The token of this start of the job, which all processes received.

    Raises:
      ConfigError: the port is in use, or the processes have the wrong numbers.
      AbsentError: some processes did not arrive; names them.
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
    """Connects to process 0 and waits until all are there; called in the other processes.

    Args:
      address: address of process 0.
      process: index of this process.
      count: number of processes.
      seconds: time limit.

    Returns:
      The token of this start of the job.

    Raises:
      ConfigError: something is wrong with the processes, or another program is at the address.
      AbsentError: process 0 or another process did not arrive.
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
                complain(f"another program uses {address}, not a waiting process 0; trying again")
            strange = True
        time.sleep(_AGAIN)
    if strange:
        raise ConfigError(
            f"{_FLAG}={address} is in use by another program, or by a running job; end it, or "
            "choose another port"
        )
    raise AbsentError(
        f"process 0 did not answer at {address} in {seconds:g} s; {_FLAG} must be its address, "
        "with a port that is open between the machines"
    )


def _visit(address: Address, hello: _Hello, seconds: float) -> str:
    with socket.create_connection((address.host, address.port), timeout=_WHOLE_WITHIN) as there:
        try:
            _hear(there, _Answer)
        except TimeoutError:
            raise records.RecordError("no message") from None
        _say(there, hello)
        # Process 0 is the first to time out, and says so.
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
    """The processes that have arrived at process 0."""

    def __init__(self, listener: socket.socket, count: int) -> None:
        self._listener, self._count = listener, count
        self._came: queue.Queue[tuple[socket.socket, _Hello]] = queue.Queue()
        self._guests: dict[int, tuple[socket.socket, _Hello]] = {}
        # A process with a wrong number is also told what is wrong.
        self._others: list[socket.socket] = []

    def absent(self) -> list[int]:
        """Returns the indices of the missing processes."""
        return sorted(set(range(1, self._count)) - self._guests.keys())

    def gather(self, end: float) -> None:
        """Accepts processes until all are there or time is up.

        Raises:
          ConfigError: a process has a number that is taken or out of range.
          _SignalledError: a process got a signal that ends all.
        """
        while time.monotonic() < end and self.absent():
            self._accept()
            self._forget_who_left()
            while not self._came.empty():
                self._seat(*self._came.get())

    def dismiss(self, answer: _Answer, linger: float = 0) -> None:
        """Tells all processes the result, and for a while any latecomers."""
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
                f"--num_processes is {count} in process 0, but {hello.count} in process {number} "
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
    """Opens a socket at an address where nobody else listens."""
    try:
        listener = _open(listens, address.port)
    except OSError as error:
        # Python's own message repeats the address.
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigError(
            f"process 0 cannot listen at {listens or f'port {address.port}'}: {reason}. End the "
            "program or the job that uses it, or choose another port"
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
    """Returns the last byte of a process that has left, often empty; None if it is still there."""
    connection.setblocking(False)
    try:
        return connection.recv(1)
    except BlockingIOError:
        return None
    except OSError:
        return b""


@contextlib.contextmanager
def _last_words(say: Callable[[int], object]) -> Iterator[None]:
    """Calls `say` with the signal that ends this process, if one does within the context."""
    try:
        yield
    except Exception:
        raise
    # Whatever exception the program raises for SIGTERM.
    except BaseException as error:
        with contextlib.suppress(OSError):
            say(signal.SIGINT if isinstance(error, KeyboardInterrupt) else signal.SIGTERM)
        raise


def _end_with(other: _SignalledError) -> NoReturn:
    """Ends this process as if it had got the signal that another process got.

    Raises:
      KeyboardInterrupt: the signal was Ctrl-C.
      BaseException: whatever this program raises for SIGTERM.
      AbsentError: the program raises nothing for it.
    """
    complain(f"{other}: this process ends too")
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
    """Reads the next message.

    Raises:
      RecordError: there is no valid message.
      OSError: the connection is lost.
    """
    line = b""
    while not line.endswith(b"\n"):
        # Byte by byte, because what follows the line must stay in the socket.
        piece = connection.recv(1)
        if not piece:
            raise ConnectionError("closed") if not line else records.RecordError("no message")
        line += piece
        if len(line) > _LONGEST:
            raise records.RecordError("no message")
    return records.parsed(line, kind)
