"""Measures clips per second and core for each storage format, and for decoders of video files.

All competitors cut the same kind of clip from the same videos. Two times are measured: decoding the
frames of a clip; and making the clip, with crop, mirroring and the augmentation chain, which all
competitors share. A second table times the frames of ten evenly spread clips per video, as an
evaluation needs them. All times are CPU times of one process, so threads of libraries count too.
Freed memory is kept, as in training.

Besides PyAV and OpenCV, torchcodec and decord are measured if they are installed (`pip install
torchcodec decord2`).

--soak runs the input pipeline for some minutes instead, and prints its memory and CPU time.

--storage measures training on data in a bucket instead, in clips per second of wall time: cold,
before any shard is on this machine, and warm, when all shards are. This machine's disk is measured
for comparison. Everything written to the bucket is removed again.

Examples:
  vidjax benchmark data
  vidjax benchmark data --videos=UCF-101/Archery
  vidjax benchmark data --soak=60
  vidjax benchmark data --storage=gs://bucket/folder
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from absl import flags

import vidjax
from vidjax.data import catalog
from vidjax.data.containers import open_video
from vidjax.data.pipeline import Augmentation, ClipShape, TrainClip
from vidjax.data.prepared import PreparedSplit
from vidjax.data.video_files import VIDEO_SUFFIXES
from vidjax.storage.paths import as_path
from vidjax.storage.writing import write_text
from vidjax.terminal import say
from vidjax.training.malloc_settings import keep_freed_memory

from .. import help_text
from .decoders import Decoder, own_decoders, peers
from .generated_videos import FPS, generated
from .machine import describe, versions
from .many_shards import copy_into_shards
from .soak import soak
from .storage import Work, bucket, measure
from .timing import print_table

_VIDEOS = flags.DEFINE_string(
    "videos", "", "FOLDER: Folder of videos. By default ten videos are generated."
)
_SECONDS = flags.DEFINE_float(
    "seconds", 10.0, "SECONDS: Length of the generated videos of 320x240 pixels."
)
_FRAMES = flags.DEFINE_integer("frames", 16, "Number of frames per clip.", lower_bound=1)
_STRIDE = flags.DEFINE_integer("stride", 2, "Stride between frames of a clip.", lower_bound=1)
_SIZE = flags.DEFINE_integer("size", 112, "Height and width of a clip in pixels.", lower_bound=1)
_SHORT = flags.DEFINE_list("short_sides", ["128", "240"], "PIXELS,...: Short sides to store.")
_CHAIN = flags.DEFINE_float("chain", 0.9, "Probability of the augmentation chain.")
_CLIPS = flags.DEFINE_integer("clips", 60, "Clips per round.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Rounds; the median counts.", lower_bound=1)
_MODEL = flags.DEFINE_string(
    "model", "r3d_18", "NETWORK: Network whose training step is also measured; empty for none."
)
_BATCH = flags.DEFINE_integer("batch", 4, "Batch size of that step.", lower_bound=1)
_STORAGE = flags.DEFINE_string(
    "storage",
    "",
    "URL: Measures reading from a bucket instead: a URL to write to, such as gs://bucket/folder.",
)
_SOAK = flags.DEFINE_float(
    "soak", 0.0, "MINUTES: Runs the input pipeline for this many minutes instead."
)
_SHARDS = flags.DEFINE_integer(
    "shards", 8, "Number of shards to write with --storage.", lower_bound=1
)
_EACH = flags.DEFINE_integer("shard_videos", 16, "Videos per shard with --storage.", lower_bound=1)
_THREADS = flags.DEFINE_integer(
    "threads", 2, "Decoding threads with --storage and --soak.", lower_bound=1
)
help_text.group("Videos", _VIDEOS, _SECONDS, _SHORT)
help_text.group("Clips", _FRAMES, _STRIDE, _SIZE, _CHAIN)
help_text.group("Training step", _MODEL, _BATCH)
help_text.group("Measuring", _CLIPS, _ROUNDS)
help_text.group("Bucket and soak test", _STORAGE, _SOAK, _SHARDS, _EACH, _THREADS)
Frames = Callable[[np.random.Generator], np.ndarray]
# Number of evenly spread clips per video in the second table.
_VIEWS = 10


@dataclass(frozen=True)
class ClipReader:
    """A way to get clips: a storage format, or a decoder of video files.

    Attributes:
      frames: returns the decoded frames of a random clip.
      clip: returns a random clip, augmented.
      views: returns the frames of ten clips of a random video.
      stored: bytes that all videos take in this format.
      decodes: whether it decodes the video files themselves and is not part of vidjax.
    """

    frames: Frames
    clip: Frames
    views: Frames
    stored: int
    decodes: bool = False


def main(arguments: Sequence[str]) -> None:
    """Times the formats in turns, or runs the pipeline or reads a bucket, and prints tables."""
    del arguments
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as scratch:
        if _STORAGE.value:
            _measure_storage(bucket(_STORAGE.value), Path(scratch))
        elif _SOAK.value:
            files = _files(Path(scratch))
            folder = _prepare(files, int(_SHORT.value[0]), Path(scratch))
            say(describe(), versions())
            soak(folder, _shape(), _augment(), minutes=_SOAK.value, threads=_THREADS.value)
        else:
            _measure_readers(Path(scratch))


def _measure_readers(scratch: Path) -> None:
    files = _files(scratch)
    hours = sum(_length(file) for file in files) / 3600
    readers = _readers(files, scratch)
    say(describe(), versions())
    frames = _time({name: reader.frames for name, reader in readers.items()}, _CLIPS.value)
    clips = _time({name: reader.clip for name, reader in readers.items()}, _CLIPS.value)
    views = _time(
        {name: reader.views for name, reader in readers.items()}, max(1, _CLIPS.value // 5)
    )
    best = min(clips[name] for name, reader in readers.items() if reader.decodes)
    rows = [
        (
            name,
            f"{frames[name]:.1f}",
            f"{clips[name]:.1f}",
            f"{1e3 / clips[name]:.0f}",
            f"{best / clips[name]:.1f}",
            f"{reader.stored / hours / 2**20:.0f}",
        )
        for name, reader in readers.items()
    ]
    videos = f"{len(files)} videos, {hours * 3600 / len(files):.1f} s each"
    clip = f"clips of {_FRAMES.value}x{_SIZE.value}x{_SIZE.value}, stride {_STRIDE.value}"
    title = f"{videos}; {clip}, chain {_CHAIN.value:g}; one process"
    columns = (
        "read from",
        "frames, CPU ms",
        "clip, CPU ms",
        "clips/s per core",
        "x best decoder",
        "MiB per hour",
    )
    print_table(title, columns, rows)
    best = min(views[name] for name, reader in readers.items() if reader.decodes)
    in_views = [(name, f"{ms:.1f}", f"{best / ms:.1f}") for name, ms in views.items()]
    title = f"frames of {_VIEWS} evenly spread clips of a video"
    print_table(title, ("read from", "CPU ms per video", "x best decoder"), in_views)
    if _MODEL.value:
        _print_need(max(1e3 / each for each in clips.values()))


def _measure_storage(far: Path, scratch: Path) -> None:
    folder = _prepare(_files(scratch), int(_SHORT.value[0]), scratch)
    work = Work(
        _shape(),
        _augment(),
        batch_size=_BATCH.value,
        threads=_THREADS.value,
        rounds=_ROUNDS.value,
    )
    local = scratch / "shards"
    copy_into_shards(folder, local, "train", (_EACH.value,) * _SHARDS.value)
    measure(local, far, work, scratch)


def _shape() -> ClipShape:
    return ClipShape(frames=_FRAMES.value, stride=_STRIDE.value, size=_SIZE.value)


def _augment() -> Augmentation:
    return Augmentation(scale=(0.3, 1.0), chain=_CHAIN.value)


def _time(readers: Mapping[str, Frames], calls: int) -> dict[str, float]:
    """Returns the median CPU milliseconds per call; the first round does not count."""
    times: dict[str, list[float]] = {name: [] for name in readers}
    for turn in range(_ROUNDS.value + 1):
        for name, make in readers.items():
            rng = np.random.default_rng(turn)
            start = time.process_time()
            for _ in range(calls if turn else 1):
                make(rng)
            if turn:
                times[name].append(1e3 * (time.process_time() - start) / calls)
    return {name: statistics.median(values) for name, values in times.items()}


def _files(scratch: Path) -> list[Path]:
    if not _VIDEOS.value:
        return generated(scratch / "videos", _SECONDS.value)
    found = sorted(as_path(_VIDEOS.value).rglob("*"))
    files = [file for file in found if file.suffix.lower() in VIDEO_SUFFIXES]
    if not files:
        raise ValueError(f"--videos={_VIDEOS.value}: this folder has no videos")
    return files


def _readers(files: Sequence[Path], scratch: Path) -> dict[str, ClipReader]:
    readers = {}
    for side in map(int, _SHORT.value):
        folder = _prepare(files, side, scratch)
        stored = sum(part.stat().st_size for part in folder.glob("*.array_record*"))
        readers[f"JPEG, short side {side}"] = _of_records(PreparedSplit(folder, "train"), stored)
    readers[f"TFDS, whole video of {side}"] = _of_tfds(folder, stored)
    stored = sum(file.stat().st_size for file in files)
    own, others = own_decoders(), peers(say)
    for name, decode in (own | others).items():
        readers[name] = _of_files(files, decode, stored, decodes=name in others)
    return readers


def _prepare(files: Sequence[Path], side: int, scratch: Path) -> Path:
    manifest = scratch / "videos.csv"
    rows = [f"{file.absolute()},any,train" for file in files]
    write_text(manifest, "\n".join(["path,label,split", *rows]))
    storage = catalog.Storage(short_side=side)
    request = catalog.Request(scratch / "data", storage=storage, manifest=str(manifest))
    return catalog.prepare("video_folder", request)


def _of_records(split: PreparedSplit, stored: int) -> ClipReader:
    shape = _shape()
    transform = TrainClip(shape, _augment())

    def frames(rng: np.random.Generator) -> np.ndarray:
        record = split[int(rng.integers(len(split)))]
        return record.decode(shape.train_indices(rng, record.length))

    def clip(rng: np.random.Generator) -> np.ndarray:
        return transform.random_map(split[int(rng.integers(len(split)))], rng)["clip"]

    def views(rng: np.random.Generator) -> np.ndarray:
        record = split[int(rng.integers(len(split)))]
        return record.decode(_spread_out(record.length))

    return ClipReader(frames, clip, views, stored)


def _of_tfds(folder: Path, stored: int) -> ClipReader:
    import tensorflow_datasets as tfds

    source = tfds.builder_from_directory(str(folder)).as_data_source(split="train")
    shape, augment = _shape(), _augment()

    def video(rng: np.random.Generator) -> np.ndarray:
        whole: np.ndarray = source[int(rng.integers(len(source)))]["frames"]
        return whole

    def frames(rng: np.random.Generator) -> np.ndarray:
        whole = video(rng)
        return np.stack([whole[index] for index in shape.train_indices(rng, len(whole))])

    def clip(rng: np.random.Generator) -> np.ndarray:
        return augment(rng, frames(rng), shape.size)["clip"]

    def views(rng: np.random.Generator) -> np.ndarray:
        whole = video(rng)
        return np.stack([whole[index] for index in _spread_out(len(whole))])

    return ClipReader(frames, clip, views, stored)


def _of_files(files: Sequence[Path], decode: Decoder, stored: int, *, decodes: bool) -> ClipReader:
    shape, augment = _shape(), _augment()
    rates = {file: _rate(file) for file in files}
    lengths = {file: round(_length(file) * rates[file]) for file in files}

    def frames(rng: np.random.Generator) -> np.ndarray:
        file = files[int(rng.integers(len(files)))]
        # Short videos are looped, so that frames may occur more than once.
        wanted, places = np.unique(shape.train_indices(rng, lengths[file]), return_inverse=True)
        return decode(file, wanted, rates[file])[places]

    def clip(rng: np.random.Generator) -> np.ndarray:
        return augment(rng, frames(rng), shape.size)["clip"]

    def views(rng: np.random.Generator) -> np.ndarray:
        file = files[int(rng.integers(len(files)))]
        return decode(file, _spread_out(lengths[file]), rates[file])

    return ClipReader(frames, clip, views, stored, decodes)


def _spread_out(length: int) -> np.ndarray:
    """Returns the distinct frames of ten clips of a video."""
    return np.unique(_shape().view_indices(length, _VIEWS))


def _length(file: Path) -> float:
    """Returns the duration of a video in seconds."""
    with open_video(file) as (_, stream):
        return float((stream.duration or 0) * (stream.time_base or 0)) or stream.frames / FPS


def _rate(file: Path) -> float:
    """Returns the frame rate of a video."""
    with open_video(file) as (_, stream):
        return float(stream.average_rate or FPS)


def _print_need(best: float) -> None:
    from .timing import time_in_turns
    from .train_step import make_step

    shape = (_BATCH.value, _FRAMES.value, _SIZE.value, _SIZE.value, 3)
    step = make_step(vidjax.create_model(_MODEL.value), shape)
    needed = 1e3 * _BATCH.value / time_in_turns({"step": step}, 3)["step"]
    say(
        f"{_MODEL.value} in batches of {_BATCH.value} needs {needed:.3g} clips/s on this machine: "
        f"{needed / best:.2g} cores with the fastest format"
    )
