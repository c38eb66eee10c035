"""Starts jobs of several real processes on this machine, each running a vidjax command."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.commands import ROOT, Process

# The smallest network of the family, compiled with few optimisations, because these tests mostly
# wait for compilation.
SETTINGS = {
    "model.options": "{'width':4,'depths':(1,0,0,0),'stem_kernel':(1,3,3),'dropout':0.5}",
    "data.options": "{'num_classes':3,'videos':21,'frames':6,'size':20}",
    "data.threads": 1,
    "clip.frames": 2,
    "clip.stride": 1,
    "clip.size": 16,
    "eval.size": 16,
    "eval.batch_size": 8,
    "eval.clips": 2,
    "optimizer.lr": 0.02,
    "train.batch_size": 8,
    "train.ema": 0.9,
    "train.duration": "40 steps",
    "every.log": "3 steps",
    "every.checkpoint": "10 steps",
    "every.evaluate": "20 steps",
}
HEARTBEAT = 10
TRAIN = ("-m", "experiments.train", "--config=synthetic")
_SLOWLY = """
import importlib, runpy, sys, time
name, seconds, only, deaf, fails_at = sys.argv[1:6]
del sys.argv[1:6]
calls = 0
if f"--process_id={only}" in sys.argv:
    module, _, attribute = name.rpartition(".")
    module = importlib.import_module(module)
    quick = getattr(module, attribute)
    def slow(*given, **named):
        global calls
        calls += 1
        if calls == int(fails_at):
            raise OSError("made to fail")
        result = quick(*given, **named)
        end = time.monotonic() + float(seconds)
        while time.monotonic() < end:
            try:
                time.sleep(end - time.monotonic())
            except KeyboardInterrupt:
                if deaf == "False":
                    raise
        return result
    setattr(module, attribute, slow)
runpy.run_module("experiments.train", run_name="__main__", alter_sys=True)
"""


def free_port() -> int:
    """Returns a port that was free a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def settings(**changes: Any) -> list[str]:
    """Returns flags for settings; `optimizer__lr=1` changes `optimizer.lr`."""
    values = SETTINGS | {name.replace("__", "."): value for name, value in changes.items()}
    return [f"--config.{name}={value}" for name, value in values.items()]


def run(
    arguments: Sequence[object], devices: int = 1, folder: Path = ROOT, code: Path = ROOT
) -> Any:
    """Starts a Python process with simulated devices, by forking if possible.

    Args:
      arguments: arguments of Python.
      devices: number of simulated devices.
      folder: the working directory.
      code: the project's folder.
    """
    known = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": str(devices),
        "PYTHONPATH": os.pathsep.join((str(code), os.environ.get("PYTHONPATH", ""))),
    }
    if folder == code == ROOT:
        return Process(*arguments, environment=known, text=False)
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=known,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def slowly(
    function: str, seconds: float, process: int, *, deaf: bool = False, fails_at: int = 0
) -> tuple[object, ...]:
    """Returns code for training in which one process is slower, or fails.

    Args:
      function: the function that takes longer.
      seconds: how much longer it takes.
      process: index of the process in which it does.
      deaf: whether it ignores Ctrl-C, like a compilation.
      fails_at: number of the call that fails, from 1; 0 is none.
    """
    own = (function, seconds, process, deaf, fails_at)
    return ("-c", _SLOWLY, *own, "--config=synthetic")


@contextlib.contextmanager
def job(
    *own: Sequence[object],
    workdir: Path | None = None,
    command: Sequence[object] = TRAIN,
    devices: int | Sequence[int] = 1,
    join_timeout: int = 60,
    heartbeat: int = HEARTBEAT,
    address: str = "",
    count: int | None = None,
    changes: Mapping[str, Any] | None = None,
    configured: bool = True,
    folders: Sequence[Path] = (),
    codes: Sequence[Path] = (),
) -> Iterator[list[Any]]:
    """Starts the processes of one job; those that still run at the end are killed.

    Args:
      own: arguments of each process, after the shared ones; a later flag replaces an earlier one.
      workdir: work directory of all processes; None leaves it to their own arguments.
      command: the command that they run.
      devices: number of devices of each process.
      join_timeout: value of the flag.
      heartbeat: as the flag.
      address: address of process 0; empty takes a free port.
      count: value of `--num_processes`; None is their real number.
      changes: changed settings, as in `settings`.
      configured: whether the command accepts settings.
      folders: working directory of each process.
      codes: the project's folder for each process.
    """
    address = address or f"127.0.0.1:{free_port()}"
    common = [
        *command,
        *(settings(**(changes or {})) if configured else ()),
        f"--coordinator_address={address}",
        f"--num_processes={count or len(own)}",
        f"--join_timeout={join_timeout}",
        f"--heartbeat_timeout={heartbeat}",
    ]
    if workdir is not None:
        common.append(f"--workdir={workdir}")
    each = [devices] * len(own) if isinstance(devices, int) else devices
    started = [
        run(
            [*common, f"--process_id={number}", *arguments],
            each[number],
            folders[number] if folders else ROOT,
            codes[number] if codes else ROOT,
        )
        for number, arguments in enumerate(own)
    ]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def ends(processes: Sequence[Any], seconds: float = 120) -> list[int]:
    """Waits for all processes; returns their exit codes. Their output is then in `said`."""
    for process in processes:
        _, errors = process.communicate(timeout=seconds)
        said[process.pid] = errors.decode()
    return [process.returncode for process in processes]


# Standard error of processes, by process id.
said: dict[int, str] = {}


def lines(process: Any, beginning: str = "error: ") -> list[str]:
    """Returns the lines of an ended process that begin with a text."""
    return [line for line in said[process.pid].splitlines() if line.startswith(beginning)]
