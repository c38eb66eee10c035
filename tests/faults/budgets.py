"""Limits the memory and time of reading a file."""

import contextlib
import time
import tracemalloc

import pytest

from vidjax.convert.checkpoint_reader import read_tensors
from vidjax.convert.torch_pickles import CheckpointError

MIB = 2**20
# Memory that reading may take in addition to a multiple of the file's size.
CONSTANT = 4 * MIB


@contextlib.contextmanager
def at_most(memory, seconds=10.0):
    """Fails if the code in the context takes more peak memory or more time."""
    began = time.monotonic()
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= memory, f"{peak / MIB:.0f} MiB"
    assert time.monotonic() - began < seconds


def refused(path, match, memory=CONSTANT):
    """Returns the single line of the error that refuses a checkpoint file."""
    with at_most(memory), pytest.raises(CheckpointError, match=match) as error:
        read_tensors(path)
    line = str(error.value)
    assert len(line.splitlines()) == 1
    assert len(line) < 1000
    assert str(path) in line
    return line
