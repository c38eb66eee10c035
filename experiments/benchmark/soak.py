"""Runs the input pipeline for long: CPU time, memory, threads and open files must not grow."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vidjax.data.pipeline import Augmentation, ClipShape, prefetch, train_batches
from vidjax.data.prepared import PreparedSplit

from .own_memory import resident
from .timing import print_table

_BATCH, _PARTS = 8, 10
COLUMNS = (
    "part",
    "clips",
    "epochs",
    "clips/s",
    "CPU ms per clip",
    "memory, MiB",
    "threads",
    "files",
)


def soak(
    folder: Path, shape: ClipShape, augment: Augmentation, *, minutes: float, threads: int
) -> None:
    """Reads batches as in training for some minutes, and prints one row per tenth of the time."""
    split = PreparedSplit(folder, "train")
    batches = prefetch(train_batches(split, shape, augment, batch_size=_BATCH, seed=0), threads)
    rows = []
    for part in range(_PARTS):
        rows.append((str(part + 1), *_read(batches, 60 * minutes / _PARTS, len(split))))
    what = f"{minutes:g} minutes of training batches of {_BATCH}"
    print_table(f"{what}, {len(split)} videos, {threads} threads", COLUMNS, rows)


def _read(batches: Iterator[Any], seconds: float, videos: int) -> tuple[str, ...]:
    """Reads batches for some seconds, at least one."""
    start, cpu, clips = time.perf_counter(), time.process_time(), 0
    while not clips or time.perf_counter() - start < seconds:
        next(batches)
        clips += _BATCH
    passed, used = time.perf_counter() - start, time.process_time() - cpu
    return (
        str(clips),
        f"{clips / videos:.0f}",
        f"{clips / passed:.0f}",
        f"{1e3 * used / clips:.2f}",
        f"{resident() / 2**20:.0f}",
        str(threading.active_count()),
        str(_open_files()),
    )


def _open_files() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0
