"""Tests the allocator settings, in a new process each time, before JAX starts."""

import os
import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
from vidjax.training.malloc_settings import keep_freed_memory
told = keep_freed_memory() if "keep" in sys.argv else False
import jax, jax.numpy as jnp
work = jax.jit(lambda x: 2 * x + 1)
x = jnp.ones(12_000_000)
for _ in range(30):
    work(x).block_until_ready()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(30):
    work(x).block_until_ready()
print(told, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*arguments, **environment):
    own = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    own = {**own, "JAX_PLATFORMS": "cpu", **environment}
    command = [sys.executable, "-c", FAULTS, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=own)
    assert done.returncode == 0, done.stderr
    told, count = done.stdout.split()
    return told == "True", int(count)


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator is meant")
def test_pages_fault_only_once():
    told, kept = faults("keep")
    _, given_back = faults()
    assert told
    # Each call allocates 48 MB, more than glibc keeps by default: 30 times 11,700 pages of 4 KiB.
    assert kept < given_back / 4


ADVISED = """
from vidjax.training.malloc_settings import keep_freed_memory
keep_freed_memory()
size, advised = 0, [0]
for line in open("/proc/self/smaps"):
    name, *values = line.split()
    if name == "Size:":
        size = 1024 * int(values[0])
    if name == "VmFlags:" and "hg" in values:
        advised.append(size)
print(max(advised))
"""


@pytest.mark.skipif(
    not os.path.exists("/sys/kernel/mm/transparent_hugepage"), reason="the kernel has no huge pages"
)
def test_huge_pages_are_requested():
    own = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", ADVISED]
    own = {**own, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, capture_output=True, text=True, env=own)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0.2 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("environment", [{"MALLOC_ARENA_MAX": "2"}, {"JAX_PLATFORMS": "cuda,cpu"}])
def test_settings_of_the_user_are_kept(environment, monkeypatch):
    from vidjax.training.malloc_settings import keep_freed_memory

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert not keep_freed_memory()
