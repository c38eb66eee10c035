"""Tests that a folder has one owner at a time, with real processes."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from vidjax.storage import ownership
from vidjax.storage.ownership import InUseError, owned

ROOT = Path(__file__).parents[2]
OWNER = """
import sys, time
from pathlib import Path
from vidjax.storage.ownership import owned
with owned(Path(sys.argv[1])):
    print("mine", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def another_owner(folder):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", OWNER, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, **pipes) as process:
        assert process.stdout.readline() == "mine\n"
        yield process
        process.kill()


def record_of(folder):
    return folder / ".lock-owner.json"


def another_machine(folder, age):
    """Writes the record of a process on another machine, last touched some seconds ago."""
    folder.mkdir(exist_ok=True)
    facts = {"host": "far", "process": 7, "since": "2026-01-01 00:00:00+00:00"}
    record_of(folder).write_text(json.dumps(facts | {"boot": "other", "token": "theirs"}))
    os.utime(record_of(folder), (time.time() - age,) * 2)


def test_a_second_process_is_told_the_owner(tmp_path):
    with another_owner(tmp_path / "run") as process:
        pattern = rf"run is in use by process {process.pid} on \S+ since \d{{4}}-.*: do this"
        with (
            pytest.raises(InUseError, match=pattern) as error,
            owned(tmp_path / "run", advice="do this"),
        ):
            pass
        assert "\n" not in str(error.value)
        assert isinstance(error.value, ValueError)


def test_a_killed_owner_leaves_the_folder_free_at_once(tmp_path):
    with another_owner(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        began = time.monotonic()
        with owned(tmp_path):
            assert json.loads(record_of(tmp_path).read_text())["process"] == os.getpid()
        assert time.monotonic() - began < 1


def test_a_folder_can_be_owned_again_after_release_or_an_error(tmp_path):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), owned(tmp_path):
            raise ZeroDivisionError
    assert [file.name for file in tmp_path.iterdir()] == [".lock"]


def test_two_owners_in_one_process_exclude_each_other_too(tmp_path):
    with owned(tmp_path), pytest.raises(InUseError, match=str(os.getpid())), owned(tmp_path):
        pass


def test_a_waiting_process_says_so_once_and_continues_after_the_owner(tmp_path):
    notes = []
    with another_owner(tmp_path) as process:
        threading.Timer(1.5, process.stdin.close).start()
        with owned(tmp_path, wait=True, say=notes.append):
            assert process.wait(timeout=5) == 0
    (note,) = notes
    assert f"in use by process {process.pid}" in note
    assert note.endswith("waiting until it has finished")


def test_a_missing_folder_is_owned_by_files_beside_it(tmp_path):
    with owned(tmp_path / "data" / "1.0.0", beside=True):
        assert not (tmp_path / "data" / "1.0.0").exists()
        with pytest.raises(InUseError), owned(tmp_path / "data" / "1.0.0", beside=True):
            pass


def test_a_living_owner_on_another_machine_is_detected_by_its_heartbeats(tmp_path, monkeypatch):
    monkeypatch.setattr(ownership, "DEAD_AFTER", 30.0)
    another_machine(tmp_path, age=1)
    threading.Timer(0.7, os.utime, [record_of(tmp_path)]).start()
    with pytest.raises(InUseError, match="process 7 on far since 2026-01-01"), owned(tmp_path):
        pass


@pytest.mark.parametrize(("age", "least"), [(3600, 0), (0, 1), (-86400, 1)])
def test_a_dead_owner_on_another_machine_is_replaced(tmp_path, monkeypatch, age, least):
    """At once if its last sign of life is old, otherwise after a minute of silence."""
    monkeypatch.setattr(ownership, "DEAD_AFTER", 1.5)
    another_machine(tmp_path, age)
    began = time.monotonic()
    with owned(tmp_path):
        assert json.loads(record_of(tmp_path).read_text())["process"] == os.getpid()
    assert least <= time.monotonic() - began < 4


def test_an_owner_gives_signs_of_life_and_touches_no_other_record(tmp_path, monkeypatch):
    monkeypatch.setattr(ownership, "BEAT", 0.05)
    with owned(tmp_path):
        first = record_of(tmp_path).stat().st_mtime_ns
        time.sleep(0.3)
        assert record_of(tmp_path).stat().st_mtime_ns > first
        another_machine(tmp_path, age=100)
        theirs = record_of(tmp_path).stat().st_mtime_ns
        time.sleep(0.3)
        assert record_of(tmp_path).stat().st_mtime_ns == theirs
    assert record_of(tmp_path).exists()


def test_without_locks_of_the_system_the_record_decides(tmp_path, monkeypatch):
    class NoLock:
        def __init__(self, file, **_):
            file.touch()

        def acquire(self):
            raise OSError(37, "No locks available")

        def release(self):
            pass

    monkeypatch.setattr(ownership, "FileLock", NoLock)
    monkeypatch.setattr(ownership, "BEAT", 0.1)
    monkeypatch.setattr(ownership, "DEAD_AFTER", 1.0)
    with owned(tmp_path), pytest.raises(InUseError, match=str(os.getpid())), owned(tmp_path):
        pass
    another_machine(tmp_path, age=0)
    with owned(tmp_path):
        pass


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b'{"host": 1'])
def test_a_damaged_record_of_a_dead_owner_is_ignored(tmp_path, monkeypatch, content):
    monkeypatch.setattr(ownership, "DEAD_AFTER", 0.5)
    record_of(tmp_path).write_bytes(content)
    with owned(tmp_path):
        assert json.loads(record_of(tmp_path).read_text())["host"]
