"""Starts a Dask cluster of real processes whose workers share no folder."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.commands import ROOT
from tests.faults.processes import descendants, wait_until

# As `sitecustomize`, this runs at the start of each Python process. It kills a process that decodes
# `killer.*`, like a decoder's bug, and slows down others.
SITE = """
import os, signal, sys, time

def hook(event, args):
    if event == "open" and str(args[0]).endswith(".mp4") and args[1] == "r":
        if "killer" in str(args[0]):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(float(os.environ.get("SLOW_VIDEOS", "0")))

if any("spawn_main" in each for each in sys.orig_argv):
    sys.addaudithook(hook)
"""


def slow_python(folder: Path) -> str:
    """Returns a `PYTHONPATH` with vidjax and `SITE`."""
    site = folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE)
    return os.pathsep.join((str(site), str(ROOT)))


def made_in(data_dir: Path) -> list[Path]:
    """Returns the shard records that an unfinished preparation has written so far."""
    return [file for file in data_dir.rglob("*.json") if file.parent.name == "made"]


class Cluster:
    """A scheduler and workers, each with its own temporary folder.

    Attributes:
      address: address of the scheduler.
      workers: processes of the workers.
      folders: the only folder that each worker may write to.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self.environment = {
            **os.environ,
            **environment,
            "PYTHONPATH": slow_python(folder),
            # Time without a heartbeat after which a worker counts as lost; Dask's default is 5
            # minutes.
            "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "4s",
        }
        file = folder / "scheduler.json"
        self.scheduler = self._start(
            "scheduler", "scheduler", "--host=127.0.0.1", "--port=0", f"--scheduler-file={file}"
        )
        assert wait_until(lambda: file.is_file() and file.read_text(), 60)
        self._file = file
        self.address = file.read_text().split('"address": "')[1].split('"')[0]
        self.workers: list[subprocess.Popen[bytes]] = []
        self.folders: list[Path] = []

    def add_worker(self, **environment: str) -> subprocess.Popen[bytes]:
        """Starts a worker of one thread."""
        folder = self._folder / f"worker{len(self.workers)}"
        folder.mkdir()
        process = self._start(
            "worker",
            folder.name,
            f"--scheduler-file={self._file}",
            "--nthreads=1",
            "--no-nanny",
            f"--local-directory={folder}",
            TMPDIR=str(folder),
            **environment,
        )
        self.workers.append(process)
        self.folders.append(folder)
        return process

    def _start(self, what: str, name: str, *options: str, **environment: str) -> subprocess.Popen:
        command = [sys.executable, "-W", "ignore", "-m", "dask", what, "--no-dashboard", *options]
        with (self._folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                command,
                cwd=self._folder,
                env=self.environment | environment,
                stdout=log,
                stderr=log,
            )

    def close(self) -> None:
        """Ends all processes, workers before the scheduler."""
        for process in (*self.workers, self.scheduler):
            pids = [process.pid, *descendants(process.pid)]
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def cluster(folder: Path, environment: Mapping[str, str], workers: int) -> Iterator[Cluster]:
    """Starts a cluster that runs while the context is open."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Cluster(folder, environment)
    try:
        for _ in range(workers):
            made.add_worker()
        yield made
    finally:
        made.close()
