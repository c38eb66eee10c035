"""Times the work before the first batch of a data set, for a given number of videos.

The large data set is made from ten tiny videos: a CSV lists empty files, and the records have two
frames of 16x16 pixels. `python -m experiments.benchmark.growth_videos FOLDER` then does the first
steps of a run in a separate process, and prints the time of each.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vidjax import records
from vidjax.data import catalog
from vidjax.data.builders.video_folder import VideoFolder
from vidjax.data.manifest import read_manifest
from vidjax.data.pipeline import Augmentation, ClipShape, prefetch, train_batches
from vidjax.data.preparation_report import write_report
from vidjax.data.prepared import PreparedSplit, names_of
from vidjax.data.views import Views, view_batches
from vidjax.storage.paths import as_path
from vidjax.storage.writing import make_folder, write_text
from vidjax.terminal import say

from .generated_videos import generated
from .many_shards import copy_into_shards
from .own_memory import peak, resident

PARTS = ("read the list", "plan", "prepare again", "start training", "start evaluating")
# Two frames at 25 per second; side in pixels; videos per shard.
_SECONDS, _SIDE, _SHARD = 0.08, 16, 256
_BATCH = 8


def measure(count: int, scratch: Path) -> dict[str, float]:
    """Returns the seconds of each of `PARTS` for `count` videos, and the bytes of `memory`.

    Args:
      count: number of videos.
      scratch: an empty folder.

    Raises:
      RuntimeError: the process that is measured failed.
    """
    _make(count, scratch)
    command = [sys.executable, "-m", __spec__.name, str(scratch)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{count} videos: {done.stderr.strip()}")
    return records.parsed(done.stdout.splitlines()[-1], dict[str, float])


def _make(count: int, scratch: Path) -> None:
    """Makes a prepared data set, and the list of files that it could come from."""
    few = generated(make_folder(scratch / "few"), _SECONDS)
    small = catalog.prepare("video_folder", _request(scratch / "small", _list(few, scratch)))
    many = [scratch / "many" / f"{number // 1000}" / f"{number}.mp4" for number in range(count)]
    for folder in {file.parent for file in many}:
        make_folder(folder)
    for file in many:
        file.touch()
    builder = _builder(_request(scratch / "large", _list(many, scratch)))
    shards = [_SHARD] * (count // _SHARD) + [count % _SHARD] * bool(count % _SHARD)
    copy_into_shards(small, make_folder(builder.folder), "train", tuple(shards))
    builder.sources.write(builder.folder)
    write_report(builder.folder, builder.manifest, [])


def _list(files: list[Path], scratch: Path) -> Path:
    rows = (f"{file},{number % 10},train" for number, file in enumerate(files))
    manifest = scratch / "videos.csv"
    write_text(manifest, "\n".join(["path,label,split", *rows]))
    return manifest


def _request(folder: Path, manifest: Path) -> catalog.Request:
    storage = catalog.Storage(short_side=_SIDE)
    return catalog.Request(folder, storage=storage, manifest=str(manifest))


def _builder(request: catalog.Request) -> VideoFolder:
    return VideoFolder(manifest=read_manifest(request.manifest), request=request)


def main(scratch: Path) -> None:
    """Runs each of `PARTS` once, and prints its seconds and memory."""
    request = _request(scratch / "large", scratch / "videos.csv")
    folder = _builder(request).folder
    before = resident()
    parts: dict[str, Callable[[], Any]] = {
        "read the list": lambda: read_manifest(request.manifest),
        "plan": lambda: _builder(request).tasks(),
        "prepare again": lambda: catalog.prepare("video_folder", request),
        "start training": lambda: _first_training_batch(folder),
        "start evaluating": lambda: _first_views(folder),
    }
    found: dict[str, float] = {}
    for name, work in parts.items():
        start = time.perf_counter()
        work()
        found[name] = time.perf_counter() - start
    say(json.dumps(found | {"memory": peak() - before}))


def _first_training_batch(folder: Path) -> None:
    split = PreparedSplit(folder, "train")
    split.labels()
    shape = ClipShape(frames=2, stride=1, size=_SIDE)
    next(prefetch(train_batches(split, shape, Augmentation(), batch_size=_BATCH, seed=0), 1))


def _first_views(folder: Path) -> None:
    split = PreparedSplit(folder, "train")
    names_of(split)
    views = Views(1, 1, _SIDE, ClipShape(frames=2, stride=1, size=_SIDE))
    next(prefetch(view_batches(split, views, batch_size=_BATCH), 1))


if __name__ == "__main__":
    main(as_path(sys.argv[1]))
