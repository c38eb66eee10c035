"""Tests that a folder of a bucket has one owner at a time, with real processes and store faults."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from vidjax.storage import buckets, leases
from vidjax.storage.ownership import InUseError, owned
from vidjax.storage.paths import as_path
from vidjax.storage.writing import write_text

ROOT = Path(__file__).parents[2]
RECORD = ".lock-owner.json"
# Owns the folders on its input, each until the next line; its clocks are fast.
OWNER = textwrap.dedent(
    """
    import sys
    from vidjax.storage import leases
    from vidjax.storage.ownership import InUseError, owned
    from vidjax.storage.paths import as_path
    leases.BEAT, leases.DEAD_AFTER, leases._LOOK = 0.2, 1.0, 0.1
    for line in sys.stdin:
        try:
            with owned(as_path(line.strip())):
                print("mine", flush=True)
                sys.stdin.readline()
            print("given back", flush=True)
        except InUseError as error:
            print(error, flush=True)
            sys.stdin.readline()
            print("never had it", flush=True)
    """
)
# Writes whenever it can, even after it was stopped.
WRITER = textwrap.dedent(
    """
    import sys, time
    from vidjax.storage import leases
    from vidjax.storage.ownership import owned
    from vidjax.storage.paths import as_path
    from vidjax.storage.writing import appending, sync, write_text
    leases.BEAT, leases.DEAD_AFTER = float(sys.argv[2]), 1.0
    folder = as_path(sys.argv[1])
    with owned(folder), appending(folder / "metrics.jsonl") as lines:
        sync(lines)
        print("mine", flush=True)
        while True:
            write_text(folder / "best.json", "theirs")
            lines.write("theirs\\n")
            sync(lines)
            time.sleep(0.01)
    """
)


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    """A minute takes a second."""
    monkeypatch.setattr(leases, "BEAT", 0.2)
    monkeypatch.setattr(leases, "DEAD_AFTER", 1.0)
    monkeypatch.setattr(leases, "_LOOK", 0.1)


@pytest.fixture
def folder(bucket):
    return as_path(f"{bucket}/run")


def program(code, *arguments):
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, text=True, **pipes)


@contextlib.contextmanager
def owners(count):
    processes = [program(OWNER) for _ in range(count)]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def tell(process, line):
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def of_another_machine(folder, beat=0):
    facts = {"host": "far", "process": 7, "since": "2026-01-01 00:00:00+00:00"}
    content = json.dumps(facts | {"machine": "other", "token": "theirs", "beat": beat})
    buckets.write(str(folder / RECORD), content.encode())


def test_a_second_process_is_told_the_owner(folder):
    with owners(1) as (process,):
        tell(process, folder)
        assert process.stdout.readline() == "mine\n"
        pattern = rf"run is in use by process {process.pid} on \S+ since \d{{4}}-.*: do this"
        with pytest.raises(InUseError, match=pattern) as error, owned(folder, advice="do this"):
            pass
        assert "\n" not in str(error.value)
        tell(process, "")
        assert process.stdout.readline() == "given back\n"
    assert not folder.exists()
    with owned(folder):
        assert json.loads((folder / RECORD).read_text())["process"] == os.getpid()
    assert not folder.exists()


def test_a_killed_owner_on_this_machine_is_replaced_at_once_with_a_message(folder):
    said = []
    with owners(1) as (process,):
        tell(process, folder)
        assert process.stdout.readline() == "mine\n"
        process.kill()
        process.wait()
        began = time.monotonic()
        with owned(folder, say=said.append):
            pass
    assert time.monotonic() - began < leases.DEAD_AFTER
    (line,) = said
    assert re.match(
        rf"process {process.pid} on \S+ since .* has ended without releasing it: this", line
    )


def test_a_dead_owner_on_another_machine_is_replaced_after_a_wait(folder):
    of_another_machine(folder)
    said, began = [], time.monotonic()
    with owned(folder, say=said.append):
        assert json.loads((folder / RECORD).read_text())["process"] == os.getpid()
    assert time.monotonic() - began >= leases.DEAD_AFTER
    assert len(said) == 2
    assert "process 7 on far since 2026-01-01 00:00:00+00:00 holds the lease" in said[0]
    assert "has not renewed its lease for 1 s: this process takes it over" in said[1]


def test_a_living_owner_on_another_machine_is_not_replaced(folder, monkeypatch):
    of_another_machine(folder)
    seen = iter(range(1, 100))

    def slept(seconds):
        of_another_machine(folder, beat=next(seen))

    monkeypatch.setattr(leases.time, "sleep", slept)
    with pytest.raises(InUseError, match="in use by process 7 on far"), owned(folder):
        pass
    assert json.loads((folder / RECORD).read_text())["token"] == "theirs"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b'{"host": 1'])
def test_a_damaged_record_counts_as_a_dead_owner(folder, content):
    buckets.write(str(folder / RECORD), content)
    with owned(folder, say=lambda line: None):
        assert json.loads((folder / RECORD).read_text())["host"]


@pytest.mark.parametrize(
    ("processes", "rounds"), [(3, 6), pytest.param(8, 100, marks=pytest.mark.slow)]
)
def test_exactly_one_of_many_processes_owns_a_folder(bucket, processes, rounds):
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True).stdout  # fmt: skip
    with owners(processes) as all_:
        for number in range(rounds):
            folder = as_path(f"{bucket}/{number}")
            # Every other folder has a dead owner, which all processes notice.
            if number % 2:
                mine = {"host": "a", "since": "b", "machine": leases._machine()}
                record = json.dumps(mine | {"process": int(dead)})
                buckets.write(str(folder / RECORD), record.encode())
            for process in all_:
                tell(process, folder)
            said = [process.stdout.readline() for process in all_]
            assert said.count("mine\n") == 1
            assert sum("is in use by " in line for line in said) == processes - 1
            for process in all_:
                tell(process, "")
            ended = [process.stdout.readline() for process in all_]
            assert ended.count("given back\n") == 1
            assert not (folder / RECORD).exists()


# A due heartbeat detects it at once; otherwise the next write does.
@pytest.mark.parametrize("beat", [0.2, 1000])
def test_an_owner_stopped_for_too_long_exits_and_overwrites_nothing(folder, beat):
    process = program(WRITER, folder, beat)
    try:
        assert process.stdout.readline() == "mine\n"
        process.send_signal(signal.SIGSTOP)
        with owned(folder, say=lambda line: None):
            write_text(folder / "best.json", "mine")
            write_text(folder / "metrics.jsonl", "mine")
            process.send_signal(signal.SIGCONT)
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 69, errors
            assert errors.startswith("error: another process has taken over gs://")
            assert errors.count("\n") == 1
            assert json.loads((folder / RECORD).read_text())["process"] == os.getpid()
        assert (folder / "best.json").read_text() == "mine"
        assert (folder / "metrics.jsonl").read_text() == "mine"
    finally:
        process.kill()
        process.communicate()


def test_a_lease_is_acquired_even_if_answers_are_lost(store, folder):
    store.misbehave("lost", match=r"POST .*lock-owner", times=1)
    with owned(folder) as lease:
        store.misbehave("lost", match=r"POST .*lock-owner", times=1)
        lease.renew()
        assert json.loads((folder / RECORD).read_text())["beat"] >= 1
        store.misbehave("lost", match=r"DELETE .*lock-owner", times=1)
    assert not (folder / RECORD).exists()
    assert [fault["met"] for fault in store.behave()] == [1, 1, 1]


def test_a_lease_survives_temporary_failures_of_the_store(store, folder):
    with owned(folder):
        before = json.loads((folder / RECORD).read_text())["beat"]
        store.misbehave("unavailable", match="lock-owner")
        time.sleep(1.0)
        (fault,) = store.behave()
        assert fault["met"] > 0
        deadline = time.monotonic() + 20
        while json.loads((folder / RECORD).read_text())["beat"] <= before:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with pytest.raises(InUseError), owned(folder):
            pass
    assert not (folder / RECORD).exists()


def test_a_lease_taken_over_by_another_process_is_not_released(folder):
    with pytest.MonkeyPatch.context() as patched:
        ended = []
        patched.setattr(leases.Lease, "_end", lambda self: ended.append(True))
        with owned(folder) as lease:
            of_another_machine(folder)
            lease.renew()
            assert ended
    assert json.loads((folder / RECORD).read_text())["token"] == "theirs"
