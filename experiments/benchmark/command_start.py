"""Measures how long commands take from their start until they have done something useful."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from vidjax.data.encode import write_mp4

_FPS, _SECONDS, _SIDE = 25, 4, 112


@dataclass(frozen=True)
class Start:
    """The duration of a command.

    Attributes:
      name: work of the command, and whether a cache of compiled programs existed.
      seconds: seconds until the work was done.
      end: seconds until the process ended.
    """

    name: str
    seconds: float
    end: float
    COLUMNS: ClassVar = ("command", "done after, s", "ended after, s")

    def cells(self) -> tuple[str, ...]:
        """Formats a row of a table."""
        return self.name, f"{self.seconds:.1f}", f"{self.end:.1f}"


def training(
    folder: Path, turn: str, network: str, batch: int, clip: tuple[int, int, int]
) -> Start:
    """Times a new run on random arrays until it reports its first step."""
    frames, size, _ = clip
    arguments = (
        "train",
        f"--config=synthetic:model={network}",
        f"--workdir={folder / turn}",
        f"--config.clip.frames={frames}",
        f"--config.clip.size={size}",
        f"--config.eval.size={size}",
        f"--config.train.batch_size={batch}",
        f"--config.eval.batch_size={batch}",
        "--config.train.duration=1 steps",
        "--config.every.log=1 steps",
    )
    return _timed(f"train, {turn} start: first step", folder, arguments, "step 1/1")


def predicting(folder: Path, turn: str) -> Start:
    """Times the prediction of a video by the network of the first run."""
    video = folder / "video.mp4"
    if not video.is_file():
        shape = (_FPS * _SECONDS, _SIDE, _SIDE, 3)
        write_mp4(video, np.random.default_rng(0).integers(0, 256, shape, np.uint8), _FPS)
    arguments = "predict", f"--workdir={folder / 'first'}", f"--video={video}"
    return _timed(f"predict, {turn} start: one video", folder, arguments, "%")


def help_seconds(command: str, rounds: int) -> float:
    """Returns the median seconds of `vidjax COMMAND --help`."""

    def once() -> float:
        start = time.perf_counter()
        subprocess.run(_command(command, "--help"), capture_output=True, check=False)
        return time.perf_counter() - start

    return statistics.median(once() for _ in range(rounds))


def _timed(name: str, folder: Path, arguments: tuple[str, ...], sign: str) -> Start:
    """Runs a command to its end, and notes when its output first contains `sign`.

    Raises:
      RuntimeError: the command failed, or never printed `sign`.
    """
    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled")}
    start = time.perf_counter()
    lines, seconds = [], None
    with subprocess.Popen(
        _command(*arguments),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if seconds is None and sign in line:
                seconds = time.perf_counter() - start
    if process.returncode or seconds is None:
        raise RuntimeError(f"{name}: exit {process.returncode}\n{''.join(lines[-20:])}")
    return Start(name, seconds, time.perf_counter() - start)


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "vidjax", *arguments]
