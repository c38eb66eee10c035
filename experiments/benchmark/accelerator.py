"""Runs all measurements for an accelerator with one command, and writes a report.

Each job is a separate process. If one fails or fills the device's memory, the others still run.
Neither TensorFlow nor TFDS is needed.

Examples:
  vidjax benchmark accelerator --output=runs/speed
  vidjax benchmark accelerator --output=runs/tiny --tiny
"""

from __future__ import annotations

import datetime
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from absl import flags

from vidjax.storage.paths import as_path
from vidjax.storage.writing import new, write_text
from vidjax.terminal import say

from . import models_markdown
from .accelerator_jobs import PARTS, Job, jobs
from .measurement import LEGEND
from .models_csv import joined, write_csv
from .models_figure import draw

_OUTPUT = flags.DEFINE_string("output", "", "FOLDER: New folder for report.md and its files.")
_TINY = flags.DEFINE_bool("tiny", False, "Uses tiny networks and clips, to test that all jobs run.")
_PARTS = flags.DEFINE_list("parts", list(PARTS), "PART,...: Parts to run.")
_NETWORKS = flags.DEFINE_list("networks", [], "NETWORK,...: Networks to measure. By default all.")
_SECONDS = flags.DEFINE_float("job_seconds", 3600, "SECONDS: Time limit of a job.")


@dataclass(frozen=True)
class FinishedJob:
    """A job that has ended.

    Attributes:
      job: the job.
      ending: exit status, or a note that the job exceeded its time limit.
      seconds: duration of the job.
      text: output of the job.
    """

    job: Job
    ending: str
    seconds: float
    text: str

    def __str__(self) -> str:
        """Formats a section of the report."""
        head = f"## {self.job.name}\n\n`{self.job.command}`: {self.ending}, {self.seconds:.0f} s"
        return f"{head}\n\n```text\n{self.text.rstrip()}\n```\n"


def main(arguments: Sequence[str]) -> None:
    """Runs the jobs one after the other, and rewrites the report after each.

    Raises:
      ValueError: the output is missing or exists, or a part or network is unknown.
      SystemExit: a job failed.
    """
    del arguments
    if not _OUTPUT.value or as_path(_OUTPUT.value).exists():
        raise ValueError(f"--output={_OUTPUT.value}: name a new folder")
    folder = as_path(_OUTPUT.value)
    chosen = jobs(folder, _PARTS.value, _NETWORKS.value, tiny=_TINY.value)
    folder.mkdir(parents=True)
    done: list[FinishedJob] = []
    for job in chosen:
        say(job.command)
        done.append(_run(job, _SECONDS.value))
        say(*done[-1].text.splitlines(), f"{job.name}: {done[-1].ending}", "")
        _report(folder, done)
    failed = [each.job.name for each in done if each.ending != "exit 0"]
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}; see {folder / 'report.md'}")


def _run(job: Job, limit: float) -> FinishedJob:
    start = time.perf_counter()
    command = [sys.executable, "-m", "vidjax.experiments.benchmark", *job.arguments]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    if job.flags:
        environment["XLA_FLAGS"] = f"{environment.get('XLA_FLAGS', '')} {job.flags}".strip()
    # A file, because reading a pipe would wait for children of a killed job that keep it open.
    log = job.folder / f"{job.name.replace(' ', '_')}.txt"
    with new(log) as stream:
        try:
            code = subprocess.run(
                command, stdout=stream, stderr=subprocess.STDOUT, env=environment, timeout=limit
            ).returncode
            ending = f"exit {code}"
        except subprocess.TimeoutExpired:
            ending = f"ended after {limit:g} s"
    text = log.read_text(errors="replace")
    return FinishedJob(job, ending, time.perf_counter() - start, text)


def _report(folder: Path, done: Sequence[FinishedJob]) -> None:
    today = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    command = shlex.join(["python", "-m", "experiments.benchmark", "accelerator", *sys.argv[1:]])
    parts = [f"# Speed on this machine\n\n`{command}`, {today}\n"]
    rows = joined(sorted(folder.glob("models/*/models.csv")))
    if rows:
        write_csv(folder / "models.csv", rows)
        draw(folder / "models.png", rows, "networks and their peers")
        parts.append(f"## Networks\n\n{models_markdown.render(rows)}\n\n{LEGEND}\n")
    write_text(folder / "report.md", "\n".join([*parts, *map(str, done)]))
