"""Clips a second and core from each form of storage, against decoders of the files themselves.

Every peer cuts the same kind of clip from the same videos and augments it for training in the same
way. What is counted is CPU time of one process, so that threads of libraries count too.

With --storage, clips a second of training on data in a bucket, by the clock: nothing of it on this
machine yet, and all of it, beside this machine's own disk. What is written there is removed again.

Examples:
  vidjax benchmark data
  vidjax benchmark data --storage=gs://bucket/folder
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from absl import flags

import vidjax
from vidjax.data import catalog
from vidjax.data.containers import address, open_video
from vidjax.data.decode import read_video
from vidjax.data.encode import write_mp4
from vidjax.data.pipeline import Augmentation, ClipShape, TrainClip
from vidjax.data.prepared import PreparedSplit
from vidjax.data.video_files import VIDEO_SUFFIXES
from vidjax.storage.paths import as_path
from vidjax.storage.writing import write_text
from vidjax.terminal import say

from .many_shards import spread
from .storage import Work, bucket, measure
from .timing import print_table

_VIDEOS = flags.DEFINE_string(
    "videos", "", "FOLDER: Folder of videos. By default ten videos are generated."
)
_SECONDS = flags.DEFINE_float("seconds", 10.0, "Length of the generated videos of 320x240 pixels.")
_FRAMES = flags.DEFINE_integer("frames", 16, "Number of frames per clip.", lower_bound=1)
_STRIDE = flags.DEFINE_integer("stride", 2, "Stride between frames of a clip.", lower_bound=1)
_SIZE = flags.DEFINE_integer("size", 112, "Height and width of a clip in pixels.", lower_bound=1)
_SHORT = flags.DEFINE_list("short_sides", ["128", "240"], "PIXELS,...: Short sides to store.")
_CHAIN = flags.DEFINE_float("chain", 0.9, "Probability of the chain of augmentations.")
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
_SHARDS = flags.DEFINE_integer(
    "shards", 8, "Number of shards to write with --storage.", lower_bound=1
)
_EACH = flags.DEFINE_integer("shard_videos", 16, "Videos per shard with --storage.", lower_bound=1)
_THREADS = flags.DEFINE_integer("threads", 2, "Decoding threads with --storage.", lower_bound=1)
_FPS = 25
Clip = Callable[[np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Peer:
    """A way to get clips.

    Attributes:
      clip: makes one from a random video.
      stored: bytes of the form, of all videos.
    """

    clip: Clip
    stored: int


def main(arguments: Sequence[str]) -> None:
    """Times the peers in turns, or a bucket, and prints the tables."""
    del arguments
    with tempfile.TemporaryDirectory() as scratch:
        if _STORAGE.value:
            _measure_storage(bucket(_STORAGE.value), Path(scratch))
        else:
            _measure_forms(Path(scratch))


def _measure_forms(scratch: Path) -> None:
    files = _files(scratch)
    hours = sum(_length(file) for file in files) / 3600
    peers = _peers(files, scratch)
    times = _time(peers)
    best = max(1e3 / times[name] for name in peers if name.startswith("PyAV"))
    rows = [
        (
            name,
            f"{times[name]:.1f}",
            f"{1e3 / times[name]:.0f}",
            f"{1e3 * _FRAMES.value / times[name]:.0f}",
            f"{1e3 / times[name] / best:.1f}",
            f"{peer.stored / hours / 2**20:.0f}",
        )
        for name, peer in peers.items()
    ]
    title = (
        f"{len(files)} videos, {hours * 3600 / len(files):.1f} s each; clips of "
        f"{_FRAMES.value}x{_SIZE.value}x{_SIZE.value}, stride {_STRIDE.value}, "
        f"chain {_CHAIN.value:g}; one process"
    )
    columns = (
        "form",
        "CPU ms a clip",
        "clips/s a core",
        "frames/s",
        "x PyAV's best",
        "MiB an hour",
    )
    print_table(title, columns, rows)
    if _MODEL.value:
        _print_need(max(1e3 / each for each in times.values()))


def _measure_storage(far: Path, scratch: Path) -> None:
    folder = _prepare(_files(scratch), int(_SHORT.value[0]), scratch)
    work = Work(
        ClipShape(frames=_FRAMES.value, stride=_STRIDE.value, size=_SIZE.value),
        Augmentation(scale=(0.3, 1.0), chain=_CHAIN.value),
        batch_size=_BATCH.value,
        threads=_THREADS.value,
        rounds=_ROUNDS.value,
    )
    local = scratch / "shards"
    spread(folder, local, "train", (_EACH.value,) * _SHARDS.value)
    measure(local, far, work, scratch)


def _time(peers: Mapping[str, Peer]) -> dict[str, float]:
    """Median CPU milliseconds a clip of each peer; the first round is not counted."""
    times: dict[str, list[float]] = {name: [] for name in peers}
    for turn in range(_ROUNDS.value + 1):
        for name, peer in peers.items():
            rng = np.random.default_rng(turn)
            start = time.process_time()
            for _ in range(_CLIPS.value):
                peer.clip(rng)
            if turn:
                times[name].append(1e3 * (time.process_time() - start) / _CLIPS.value)
    return {name: statistics.median(values) for name, values in times.items()}


def _files(scratch: Path) -> list[Path]:
    if _VIDEOS.value:
        found = sorted(as_path(_VIDEOS.value).rglob("*"))
        files = [file for file in found if file.suffix.lower() in VIDEO_SUFFIXES]
        if not files:
            raise ValueError(f"--videos={_VIDEOS.value}: no videos in it")
        return files
    files = [scratch / "videos" / "any" / f"{index}.mp4" for index in range(10)]
    for index, file in enumerate(files):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_mp4(file, _moving_texture(np.random.default_rng(index)), _FPS)
    return files


def _moving_texture(rng: np.random.Generator) -> np.ndarray:
    """A smooth random texture that drifts, with a little noise: as hard as a real video."""
    count = round(_SECONDS.value * _FPS)
    coarse = rng.integers(0, 256, (60, 80, 3)).astype(np.uint8)
    texture = cv2.resize(coarse, (640, 480), interpolation=cv2.INTER_CUBIC)
    noise = rng.normal(0, 3, (240, 320, 3))
    times = np.arange(count)
    tops = (120 + 100 * np.sin(times / 25)).astype(int)
    lefts = (160 + 140 * np.cos(times / 40)).astype(int)
    views = [texture[tops[time] :][:240, lefts[time] :][:, :320] for time in times]
    return np.stack([np.clip(view + noise, 0, 255) for view in views]).astype(np.uint8)


def _peers(files: Sequence[Path], scratch: Path) -> dict[str, Peer]:
    shape = ClipShape(frames=_FRAMES.value, stride=_STRIDE.value, size=_SIZE.value)
    augment = Augmentation(scale=(0.3, 1.0), chain=_CHAIN.value)
    peers = {}
    for side in map(int, _SHORT.value):
        folder = _prepare(files, side, scratch)
        stored = sum(part.stat().st_size for part in folder.glob("*.array_record*"))
        split = PreparedSplit(folder, "train")
        peers[f"JPEG, short side {side}"] = Peer(_of_records(split, shape, augment), stored)
    peers[f"TFDS, whole video of {side}"] = Peer(_of_tfds(folder, shape, augment), stored)
    stored = sum(file.stat().st_size for file in files)
    decoders = {
        "PyAV, seek and decode": _pyav_seek,
        "PyAV, whole video": _pyav_whole,
        "OpenCV, seek and read": _opencv_seek,
    }
    for name, decode in decoders.items():
        peers[name] = Peer(_of_files(files, decode, shape, augment), stored)
    return peers


def _prepare(files: Sequence[Path], side: int, scratch: Path) -> Path:
    manifest = scratch / "videos.csv"
    rows = [f"{file.absolute()},any,train" for file in files]
    write_text(manifest, "\n".join(["path,label,split", *rows]))
    storage = catalog.Storage(short_side=side)
    request = catalog.Request(scratch / "data", storage=storage, manifest=str(manifest))
    return catalog.prepare("video_folder", request)


def _of_records(split: PreparedSplit, shape: ClipShape, augment: Augmentation) -> Clip:
    transform = TrainClip(shape, augment)

    def clip(rng: np.random.Generator) -> np.ndarray:
        return transform.random_map(split[int(rng.integers(len(split)))], rng)["clip"]

    return clip


def _of_tfds(folder: Path, shape: ClipShape, augment: Augmentation) -> Clip:
    import tensorflow_datasets as tfds

    source = tfds.builder_from_directory(str(folder)).as_data_source(split="train")

    def clip(rng: np.random.Generator) -> np.ndarray:
        frames = source[int(rng.integers(len(source)))]["frames"]
        chosen = [frames[index] for index in shape.train_indices(rng, len(frames))]
        return augment(rng, np.stack(chosen), shape.size)["clip"]

    return clip


def _of_files(
    files: Sequence[Path],
    decode: Callable[[Path, np.ndarray], Sequence[np.ndarray]],
    shape: ClipShape,
    augment: Augmentation,
) -> Clip:
    lengths = {file: round(_length(file) * _FPS) for file in files}

    def clip(rng: np.random.Generator) -> np.ndarray:
        file = files[int(rng.integers(len(files)))]
        indices = shape.train_indices(rng, lengths[file])
        return augment(rng, np.stack(decode(file, indices)), shape.size)["clip"]

    return clip


def _length(file: Path) -> float:
    with open_video(file) as (_, stream):
        return float((stream.duration or 0) * (stream.time_base or 0)) or stream.frames / _FPS


def _decoded(container: Any, stream: Any, indices: np.ndarray) -> Iterator[np.ndarray]:
    """The frames at `indices`, decoded from where the container stands."""
    wanted, last = set(indices.tolist()), int(indices.max())
    rate = float(stream.average_rate)
    for frame in container.decode(stream):
        place = round(frame.time * rate)
        if place in wanted:
            yield frame.to_ndarray(format="rgb24")
        if place >= last:
            return


def _pyav_seek(file: Path, indices: np.ndarray) -> list[np.ndarray]:
    with open_video(file) as (container, stream):
        begin = indices.min() / float(stream.average_rate or _FPS) / float(stream.time_base or 1)
        container.seek(int(begin), stream=stream)
        return list(_decoded(container, stream, indices))


def _pyav_whole(file: Path, indices: np.ndarray) -> list[np.ndarray]:
    return list(read_video(file).frames[indices])


def _opencv_seek(file: Path, indices: np.ndarray) -> list[np.ndarray]:
    # FFmpeg alone, and by its address: other readers take names for patterns.
    capture = cv2.VideoCapture(address(file), cv2.CAP_FFMPEG)
    capture.set(cv2.CAP_PROP_POS_FRAMES, int(indices[0]))
    frames = []
    for place in range(int(indices[0]), int(indices[-1]) + 1):
        if place in indices:
            frames.append(cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB))
        else:
            capture.grab()
    capture.release()
    return frames


def _print_need(best: float) -> None:
    from .timing import time_in_turns
    from .train_step import make_step

    shape = (_BATCH.value, _FRAMES.value, _SIZE.value, _SIZE.value, 3)
    step = make_step(vidjax.create_model(_MODEL.value), shape)
    needed = 1e3 * _BATCH.value / time_in_turns({"step": step}, 3)["step"]
    say(
        f"{_MODEL.value} in batches of {_BATCH.value} needs {needed:.3g} clips/s on this machine: "
        f"{needed / best:.2g} cores of the best form"
    )
