"""Tests the rendezvous of processes before JAX joins them, with threads and real sockets."""

import concurrent.futures
import contextlib
import signal
import socket
import threading
import time

import pytest

from tests.run.jobs import free_port
from vidjax.run.config import ConfigError
from vidjax.run.process_messages import AbsentError
from vidjax.run.rendezvous import Address, receive, visit


@pytest.fixture
def address():
    return Address("127.0.0.1", free_port())


def meet(address, *numbers, count, seconds=5, named=None):
    """Runs process 0 and others with `numbers`; returns the token or error of each."""
    with concurrent.futures.ThreadPoolExecutor(len(numbers) + 1) as pool:
        waiting = [pool.submit(receive, address, address, count, seconds)]
        waiting += [pool.submit(visit, address, n, named or count, seconds) for n in numbers]
        return [each.exception() or each.result() for each in waiting]


def test_all_processes_get_the_token_of_process_0(address):
    tokens = meet(address, 2, 1, 3, count=4)
    assert len(set(tokens)) == 1
    assert len(tokens[0]) == 16
    assert meet(address, 1, count=2)[0] != tokens[0]


@pytest.mark.parametrize(
    ("numbers", "named", "told"),
    [
        ((1, 1), None, "--process_id=1 was given to two processes"),
        ((1, 5), None, "--process_id=5.*the ids of --num_processes=3 are 0 to 2"),
        ((0, 2), None, "--process_id=0.*each once"),
        ((1, 2), 4, "--num_processes is 3 in process 0, but 4 in process"),
    ],
)
def test_wrong_numbers_are_reported_to_all(address, numbers, named, told, monkeypatch):
    monkeypatch.setattr("vidjax.run.rendezvous._LINGER", 0.5)
    for error in meet(address, *numbers, count=3, named=named):
        with pytest.raises(ConfigError, match=told):
            raise error


def test_missing_processes_are_named_to_the_waiting_ones(address):
    for error in meet(address, 1, 3, count=6, seconds=1):
        with pytest.raises(AbsentError, match="processes 2, 4 and 5 of 6 did not come to 127"):
            raise error


def test_a_restarted_process_replaces_its_predecessor(address):
    """The first process 1 has left when the second one arrives."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(receive, address, address, 3, 20)
        gone = _connected(address)
        gone.sendall(b'{"process":1,"count":3,"where":"gone"}\n')
        time.sleep(0.5)
        gone.close()
        time.sleep(0.5)
        others = [pool.submit(visit, address, 1, 3, 20)]
        visit(address, 2, 3, 20)
        assert others[0].result() == first.result()


def test_sigterm_to_one_waiting_process_is_raised_in_all(address):
    came = []
    before = signal.signal(signal.SIGTERM, lambda *_: came.append(True))
    try:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            others = [pool.submit(receive, address, address, 4, 20)]
            with _connected(address) as asked:
                asked.sendall(b'{"process":1,"count":4,"where":"here"}\n')
                others.append(pool.submit(visit, address, 2, 4, 20))
                time.sleep(1)
                asked.sendall(bytes([signal.SIGTERM]))
            for each in others:
                with pytest.raises(AbsentError, match="process 1 got SIGTERM at the rendezvous"):
                    each.result()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert came


def test_other_connections_are_ignored(address):
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(1))
        first = pool.submit(receive, address, address, 2, 20)
        for said in (b"GET / HTTP/1.1\r\n\r\n", b"\0" * 10_000, b'{"process":"1"}\n', b"[]\n"):
            stranger = stack.enter_context(_connected(address))
            with contextlib.suppress(OSError):
                stranger.sendall(said)
        # A silent connection does not block others.
        stack.enter_context(_connected(address))
        assert visit(address, 1, 2, 20) == first.result()


def test_a_port_that_is_in_use_is_not_shared(address):
    for family_wide in (False, True):
        host = "" if family_wide else address.host
        with (
            socket.create_server((host, address.port), reuse_port=True),
            pytest.raises(ConfigError, match=f"cannot listen at .*{address.port}: Address already"),
        ):
            receive(address, address, 2, 5)


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\6\4" * 9])
def test_another_program_is_not_mistaken_for_process_0(address, greeting, monkeypatch):
    monkeypatch.setattr("vidjax.run.rendezvous._WHOLE_WITHIN", 0.3)
    with socket.create_server((address.host, address.port)) as server:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    connection.sendall(greeting)
                    kept.append(connection)

        kept = []
        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(ConfigError, match="is in use by another program, or by a running job"):
            visit(address, 1, 2, 1)
        for connection in kept:
            connection.close()


def test_a_process_waits_for_process_0_until_its_timeout(address, capsys):
    began = time.monotonic()
    with pytest.raises(AbsentError, match=rf"did not answer at {address} in 1 s"):
        visit(address, 1, 2, 1)
    assert 1 <= time.monotonic() - began < 3
    assert capsys.readouterr().err == f"process 1 of 2 waits at {address} for up to 1 s\n"


def test_process_0_alone_does_not_wait(address, capsys):
    assert len(receive(address, address, 1, 60)) == 16
    assert not capsys.readouterr().err


@pytest.mark.parametrize("text", ["10.0.0.1:9876", "localhost:1", "[::1]:65535", "node-7.local:80"])
def test_addresses_are_parsed_and_formatted(text):
    assert str(Address.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("localhost", "=localhost: expected HOST:PORT"),
        ("localhost:", "expected HOST:PORT"),
        (":9876", "expected HOST:PORT"),
        ("::1:9876", "expected HOST:PORT, such as 10.0.0.1:9876 or \\[::1\\]:9876"),
        ("[10.0.0.1]:1", "expected HOST:PORT"),
        ("host:http", "expected HOST:PORT"),
        ("host:-1", "expected HOST:PORT"),
        ("host:0", "a port is a number from 1 to 65535"),
        ("host:65536", "a port is a number from 1 to 65535"),
    ],
)
def test_invalid_addresses_are_refused_with_the_flag(text, told):
    with pytest.raises(ConfigError, match=f"^--coordinator_address={told}|{told}"):
        Address.parse(text)


def _connected(address):
    """Connects as soon as somebody listens."""
    for _ in range(100):
        with contextlib.suppress(ConnectionRefusedError):
            return socket.create_connection((address.host, address.port), timeout=5)
        time.sleep(0.05)
    raise AssertionError(f"nobody listens at {address}")
