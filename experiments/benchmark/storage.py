"""Compares training on data in a bucket with a local disk, before and after shards are copied."""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import vidjax
from vidjax.data.pipeline import Augmentation, ClipShape, prefetch, train_batches
from vidjax.data.prepared import PreparedSplit
from vidjax.storage.local_copies import remove_folder, upload_folder
from vidjax.storage.paths import as_path, is_url
from vidjax.storage.shard_cache import ShardCache
from vidjax.terminal import say

from .interconnect import MACHINES
from .timing import print_table

# Share of the peak rate that 3D convolutions can reach on TPUs; GPUs reach about half of it.
_PEAK_SHARE = 0.4
_STEP = "r3d_50"
_DISK, _COPIES = "this disk", "copies"
# Multiply-adds of a training step per multiply-add of a forward pass; operations per multiply-add.
_TRAINING, _OPERATIONS = 3, 2


@dataclass(frozen=True)
class Work:
    """The input pipeline that is timed.

    Attributes:
      shape: shape of clips.
      augment: augmentation of clips.
      batch_size: clips per batch.
      threads: number of decoding threads.
      rounds: number of warm epochs; the median counts.
    """

    shape: ClipShape
    augment: Augmentation
    batch_size: int
    threads: int
    rounds: int


@dataclass(frozen=True)
class Way:
    """A way to read a data set.

    Attributes:
      source: function that opens the split, as a run does.
      shards: number of shards that are read at a time; 0 means all.
    """

    source: Callable[[], PreparedSplit]
    shards: int = 0


class Epoch(NamedTuple):
    """Seconds from opening to the first batch; then clips per second and CPU time per clip."""

    first: float
    clips: float
    cpu_ms: float


def bucket(url: str) -> Path:
    """Returns the folder in a bucket that the user has named.

    Raises:
      ValueError: the text is not a URL, or the bucket does not exist.
    """
    if not is_url(url):
        raise ValueError(f"--storage={url}: a URL is expected, such as gs://bucket/folder")
    return as_path(url)


def measure(local: Path, folder: Path, work: Work, scratch: Path) -> None:
    """Times cold and warm epochs of each way to read a data set, and prints the table.

    Args:
      local: folder of a prepared data set on this machine.
      folder: folder in a bucket for a temporary copy of the data set.
      work: the input pipeline.
      scratch: local folder for copies of shards.

    Raises:
      OSError: the bucket cannot be written or read.
    """
    far = folder / f"vidjax-benchmark-{secrets.token_hex(4)}"
    try:
        upload_folder(local, far)
        cold, warm = _epochs(_ways(local, far, scratch), work)
    finally:
        remove_folder(far)
    sizes = [file.stat().st_size for file in local.glob("*.array_record*")]
    clips = len(PreparedSplit(local, "train"))
    title = f"{len(sizes)} shards of {sum(sizes) / len(sizes) / 1e6:.3g} MB, {clips} videos"
    _print_epochs(cold, warm, title)
    _print_need(work, sum(sizes) / clips, cold, warm)


def _ways(local: Path, far: Path, scratch: Path) -> dict[str, Way]:
    caches = [ShardCache(scratch / name) for name in ("all", "two")]
    return {
        _DISK: Way(lambda: PreparedSplit(local, "train")),
        "ArrayRecord in place, no copies": Way(lambda: PreparedSplit(far, "train", in_place=True)),
        f"{_COPIES}, all videos shuffled": Way(lambda: PreparedSplit(far, "train", caches[0])),
        f"{_COPIES}, two shards at a time": Way(lambda: PreparedSplit(far, "train", caches[1]), 2),
    }


def _epochs(ways: dict[str, Way], work: Work) -> tuple[dict[str, Epoch], dict[str, Epoch]]:
    """Times a cold epoch of each way, then warm ones; returns cold epochs and warm medians."""
    cold = {name: _epoch(way, work) for name, way in ways.items()}
    warm: dict[str, list[Epoch]] = {name: [] for name in ways}
    for _ in range(work.rounds):
        for name, way in ways.items():
            warm[name].append(_epoch(way, work))
    medians = {
        name: Epoch(*map(statistics.median, zip(*epochs, strict=True)))
        for name, epochs in warm.items()
    }
    return cold, medians


def _epoch(way: Way, work: Work) -> Epoch:
    begin, first = time.perf_counter(), 0.0
    source, size = way.source(), work.batch_size
    start, cpu = time.perf_counter(), time.process_time()
    batches = train_batches(
        source, work.shape, work.augment, batch_size=size, seed=0, shards=way.shards
    )
    count = len(source) // size
    for batch in prefetch(batches[:count], work.threads):
        if not batch["mask"].all():
            raise ValueError(f"{source!r}: a video could not be read; the lines above say why")
        first = first or time.perf_counter() - begin
    clips = count * size
    cpu = 1e3 * (time.process_time() - cpu) / clips
    return Epoch(first, clips / (time.perf_counter() - start), cpu)


def _print_epochs(cold: dict[str, Epoch], warm: dict[str, Epoch], title: str) -> None:
    rows = [
        (
            way,
            f"{cold[way].first:.2f}",
            f"{cold[way].clips:.0f}",
            f"{each.clips:.0f}",
            f"{each.cpu_ms:.1f}",
            f"{each.clips / warm[_DISK].clips:.2f}",
        )
        for way, each in warm.items()
    ]
    columns = (
        "read from",
        "s to first batch",
        "cold clips/s",
        "warm clips/s",
        "CPU ms per clip",
        "warm / this disk",
    )
    print_table(title, columns, rows)


def _print_need(
    work: Work, bytes_each: float, cold: dict[str, Epoch], warm: dict[str, Epoch]
) -> None:
    shape = (1, work.shape.frames, work.shape.size, work.shape.size, 3)
    cost = vidjax.count_cost(vidjax.create_model(_STEP, num_classes=400), shape)
    step = _TRAINING * _OPERATIONS * cost.macs
    for name, machine in MACHINES.items():
        needed = _PEAK_SHARE * machine.tflops * 1e12 / step
        say(
            f"training {_STEP} on one {name} at {_PEAK_SHARE:.0%} of its peak needs {needed:.0f} "
            f"clips/s: {needed * bytes_each / 1e9:.2g} GB/s of these videos, and "
            f"{needed * warm[_DISK].cpu_ms / 1e3:.0f} cores as fast as these"
        )
    clips = max(epoch.clips for way, epoch in cold.items() if way.startswith(_COPIES))
    rate = f"{clips:.0f} clips/s ({clips * bytes_each / 1e6:.0f} MB/s)"
    say(f"cold reading gives {rate}, enough for training at {clips * step / 1e12:.2g} TFLOP/s")
