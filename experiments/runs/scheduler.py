"""Schedules the runs of a plan: several at a time, each in its own process."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vidjax.progress import TimeLeft
from vidjax.run import code_digest
from vidjax.run.config import to_mapping
from vidjax.storage.writing import appending, make_folder
from vidjax.training.preemption import EXIT_CODE

from .run import Run
from .worker import read_record, write_record

Show = Callable[[str], None]
COMMAND = (sys.executable, "-m", "vidjax.experiments.runs.worker")


def execute(
    runs: Sequence[Run],
    workers: int,
    cache: Path,
    show: Show,
    ended: Callable[[Run], None] = lambda run: None,
) -> None:
    """Trains the unfinished runs; a failed run is recorded and the others continue.

    Args:
      runs: the runs, in the order in which they start.
      workers: number of runs at a time; each has its share of the cores.
      cache: folder of compiled programs, which all seeds and resumed runs share.
      show: called with a text that says how far it is.
      ended: called in this thread with each run that has ended.
    """
    told = 0
    pool = _Pool(runs, cache)
    threads = [threading.Thread(target=pool.work, args=(cores,)) for cores in _shares(workers)]
    for thread in threads:
        thread.start()
    try:
        alive = True
        while alive:
            alive = any(thread.is_alive() for thread in threads)
            show(pool.text())
            for run in pool.ended[told:]:
                ended(run)
                told += 1
            time.sleep(0.2 if alive else 0)
    finally:
        pool.stop()
        for thread in threads:
            thread.join()


def is_finished(run: Run) -> bool:
    """Returns whether a run is finished and need not be repeated."""
    return read_record(run.record).get("state") == "finished"


class _Pool:
    """The runs that wait and the runs that are being trained."""

    def __init__(self, runs: Sequence[Run], cache: Path) -> None:
        self._waiting: queue.SimpleQueue[Run] = queue.SimpleQueue()
        for run in runs:
            if not is_finished(run):
                self._waiting.put(run)
        self._total, self._left = len(runs), self._waiting.qsize()
        self._under_way: dict[str, subprocess.Popen[bytes]] = {}
        self.ended: list[Run] = []
        self._stopping = False
        self._time = TimeLeft(self._left)
        self._environment = _environment(cache)
        self._code = code_digest.digest()

    def work(self, cores: set[int]) -> None:
        """Trains runs on some of the cores until none waits."""
        if cores:
            # This pins this thread and the processes that it starts, no other thread.
            os.sched_setaffinity(0, cores)
        while not self._stopping:
            try:
                run = self._waiting.get_nowait()
            except queue.Empty:
                return
            self._carry_out(run)
            self.ended.append(run)

    def _carry_out(self, run: Run) -> None:
        make_folder(run.log.parent)
        with contextlib.ExitStack() as stack:
            # In a bucket the log becomes visible when the run has ended.
            log = stack.enter_context(appending(run.log))
            process = subprocess.Popen(
                COMMAND,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                bufsize=0,
                # Only this command gets Ctrl-C; it then lets its runs save.
                start_new_session=True,
            )
            stack.enter_context(process)
            self._under_way[run.name] = process
            _give(process, make_order(run, self._code))
            if self._stopping:
                _let_go(process)
            code = process.wait()
            del self._under_way[run.name]
        record = read_record(run.record)
        if record.get("state", "started") == "started":
            error = f"its process ended with code {code}; see {run.log}"
            # After SIGTERM in a compilation or an evaluation the worker cannot record it.
            state = "stopped" if self._stopping or code == EXIT_CODE else "failed"
            write_record(run.record, record | {"state": state, "error": error})

    def stop(self) -> None:
        """Starts no more runs, and makes the others save and end."""
        self._stopping = True
        for process in list(self._under_way.values()):
            _let_go(process)

    def text(self) -> str:
        """Returns the progress: finished runs, the runs being trained, and the time left."""
        ended, now = len(self.ended), ", ".join(sorted(self._under_way))
        self._time.update(ended)
        return f"runs {self._total - self._left + ended}/{self._total}  {now}{self._time}"


def _environment(cache: Path) -> dict[str, str]:
    return {
        **os.environ,
        "JAX_COMPILATION_CACHE_DIR": str(cache.absolute()),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        # Several runs may share an accelerator.
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def make_order(run: Run, code: str) -> dict[str, Any]:
    """Returns the order for the worker of a run; see `carry_out`."""
    return {
        "workdir": str(run.workdir),
        "record": str(run.record),
        "config": to_mapping(run.config),
        "code": code,
        "part_of": run.part_of,
        "also_scored": list(run.also_scored),
    }


def _give(process: subprocess.Popen[bytes], order: Mapping[str, Any]) -> None:
    """Sends the order and leaves the pipe open; closing it later stops the run."""
    assert process.stdin
    try:
        process.stdin.write(json.dumps(order).encode() + b"\n")
    except BrokenPipeError:
        # It has ended already; the exit code is handled later.
        return


def _let_go(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    process.stdin.close()


def _shares(workers: int) -> list[set[int]]:
    """Returns the cores of each worker; empty sets if there are too few or pinning is unknown."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < workers:
        return [set()] * workers
    return [set(cores[number::workers]) for number in range(workers)]
