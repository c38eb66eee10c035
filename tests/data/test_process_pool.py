import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.commands import ROOT
from tests.faults.processes import descendants, lists_children, living, wait_until
from vidjax.data.process_pool import Lost, run_each


def treat(item):
    """A job whose item says what it does."""
    if item == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if item == "hang":
        time.sleep(60)
    if item == "grow":
        return len(bytearray(2**31))
    if item == "full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/disk/file")
    if item == "fail":
        raise KeyError("of the job's own")
    if item.startswith("die once "):
        return _die_once(Path(item.removeprefix("die once ")))
    return item * 2


def _die_once(log):
    """Records its start and end; the first attempt is killed, like a process without memory."""
    with log.open("a") as stream:
        stream.write("begin\n")
    if log.read_text() == "begin\n":
        os.kill(os.getpid(), signal.SIGKILL)
    return "lived"


def test_a_worker_that_dies_hangs_or_grows_affects_only_its_item():
    items = ["a", "die", "b", "hang", "c", "grow", "d"]
    found = dict(run_each(treat, items, workers=2, seconds=3, memory=2**30))
    assert found.keys() == set(items)
    assert {found[item] for item in "abcd"} == {"aa", "bb", "cc", "dd"}
    assert found["die"] == Lost("killed its worker", "its process ended with code -9")
    assert found["hang"] == Lost("took too long", "more than 3 s")
    assert isinstance(found["grow"], Lost)
    assert found["grow"].reason == "killed its worker"


def test_an_exception_in_a_job_affects_only_its_item():
    found = dict(run_each(treat, ["a", "fail", "b"], workers=1))
    assert (found["a"], found["b"]) == ("aa", "bb")
    assert str(found["fail"]) == 'killed its worker (KeyError: "of the job\'s own")'


def test_an_error_of_the_machine_stops_all_work_and_blames_no_item():
    found = []
    with pytest.raises(OSError, match="No space left on device: '/disk/file'") as caught:
        found.extend(run_each(treat, ["a", "full", "b"], workers=1))
    assert caught.value.errno == errno.ENOSPC


def test_an_item_whose_process_was_killed_is_retried_after_the_others(tmp_path):
    item = f"die once {tmp_path / 'log'}"
    found = list(run_each(treat, [item, "a", "b"], workers=1))
    assert found == [("a", "aa"), ("b", "bb"), (item, "lived")]


def test_a_limit_of_the_machine_that_is_lower_is_not_the_items_fault():
    # Without our own limit, a lack of memory is an error of the machine.
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))\n"
        "from tests.data.test_process_pool import treat; "
        "from vidjax.data.process_pool import run_each\n"
        "try: print(list(run_each(treat, ['grow'], workers=1, memory=2**33)))\n"
        "except OSError as error: print(error.errno, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.startswith(f"{errno.ENOMEM} [Errno {errno.ENOMEM}] Cannot allocate"), done


def test_the_error_for_a_script_without_a_main_guard_says_what_to_do(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from tests.data.test_process_pool import treat\n"
        "from vidjax.data.process_pool import run_each\n"
        "print(list(run_each(treat, ['a'], workers=1)))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    # The worker adds no traceback of its own.
    assert done.stderr.count("Traceback") == 1
    assert "could not start" in last
    assert "if __name__ == '__main__'" in last


ORPHANS = """
import sys, time
from tests.data.test_process_pool import treat
from vidjax.data.process_pool import run_each

if __name__ == "__main__":
    for _ in run_each(treat, ["a", "hang", "hang"], workers=3):
        print("begun", flush=True)
"""


@lists_children
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_parent_however_it_ends(tmp_path, number):
    script = tmp_path / "script.py"
    script.write_text(ORPHANS)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen(
        [sys.executable, script], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert parent.stdout.readline() == b"begun\n"
    workers = descendants(parent.pid)
    assert len(workers) >= 3
    parent.send_signal(number)
    _, errors = parent.communicate(timeout=10)
    wait_until(lambda: not living(workers), 30.0)
    assert (living(workers), errors) == ([], b"")


# In a process that has not started another one yet, because the first start is different.
BLOCKED = """
import functools, signal
from vidjax.data.process_pool import run_each

blocked = functools.partial(signal.pthread_sigmask, signal.SIG_BLOCK)
for _, found in run_each(blocked, [(), (), ()], workers=3):
    print("worker", sorted(found))
print("parent", sorted(blocked(())))
"""


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="Windows masks no signals")
def test_workers_ignore_ctrl_c():
    command = [sys.executable, "-c", BLOCKED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    deaf = f"worker {[signal.SIGINT]}"
    assert done.stdout.splitlines() == [deaf, deaf, deaf, "parent []"]
