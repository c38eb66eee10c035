import os
import signal
import subprocess
import sys
import time

import pytest

from tests.commands import ROOT
from vidjax.data.workers import Lost, run_each


def treat(item):
    """A job that does as it is told."""
    if item == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if item == "hang":
        time.sleep(60)
    if item == "grow":
        return len(bytearray(2**31))
    return item * 2


def test_a_worker_that_dies_hangs_or_grows_costs_its_item_alone():
    items = ["a", "die", "b", "hang", "c", "grow", "d"]
    found = dict(run_each(treat, items, workers=2, seconds=3, memory=2**30))
    assert found.keys() == set(items)
    assert {found[item] for item in "abcd"} == {"aa", "bb", "cc", "dd"}
    assert found["die"] == Lost("killed its worker", "its process ended with code -9")
    assert found["hang"] == Lost("took too long", "more than 3 s")
    assert isinstance(found["grow"], Lost)
    assert found["grow"].reason == "killed its worker"


# In a process that has started no other yet: the first start differs from those after it.
BLOCKED = """
import functools, signal
from vidjax.data.workers import run_each

blocked = functools.partial(signal.pthread_sigmask, signal.SIG_BLOCK)
for _, found in run_each(blocked, [(), (), ()], workers=3):
    print("worker", sorted(found))
print("parent", sorted(blocked(())))
"""


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="Windows masks no signals")
def test_no_worker_hears_ctrl_c_not_even_the_first():
    command = [sys.executable, "-c", BLOCKED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    deaf = f"worker {[signal.SIGINT]}"
    assert done.stdout.splitlines() == [deaf, deaf, deaf, "parent []"]
