"""Generates the data set: H.264 files, masks and a manifest."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidjax.data.encode import write_mp4
from vidjax.data.marionette.actions import CLASSES
from vidjax.data.marionette.render import performer_name, render_masks, render_video
from vidjax.data.process_pool import Lost, run_each
from vidjax.settings import Kind, check, one_of, several, whole
from vidjax.storage.ownership import owned
from vidjax.storage.writing import writing, writing_bytes

Progress = Callable[[int, int], None]
# Time limit of one video in seconds. It usually takes a second.
_SECONDS = 600.0
_MANIFEST = "manifest.csv"
SPEC = {
    "train_per_class": whole(1, 1_000_000),
    "test_per_class": whole(1, 1_000_000),
    "val_per_class": whole(0, 1_000_000),
    "seed": whole(0, 2**63 - 1),
    "size": several(
        Kind("", lambda side: whole(32, 4096).accepts(side) and side % 2 == 0),
        2,
        text="height and width, even numbers in [32, 4096]",
    ),
    "fps": whole(1, 240),
    "classes": several(one_of(*CLASSES), text=f"a tuple of some of {', '.join(CLASSES)}"),
}


@dataclass(frozen=True)
class MarionetteSpec:
    """The settings of a generated data set. Equal specs give equal files.

    A video depends on its split, class and number, and on seed, size and fps. So the videos of a
    smaller set are the first ones of a larger set.

    Attributes:
      train_per_class: training videos per class.
      test_per_class: test videos per class, with other performers.
      seed: random seed.
      size: height and width in pixels, both even.
      fps: frames per second.
      classes: labels to generate.
      val_per_class: validation videos per class, with performers of their own; 0 for none.

    Raises:
      ValueError: a number is out of its range or a class is unknown.
    """

    train_per_class: int = 48
    test_per_class: int = 12
    seed: int = 0
    size: tuple[int, int] = (96, 128)
    fps: int = 15
    classes: tuple[str, ...] = CLASSES
    val_per_class: int = 0

    def __post_init__(self) -> None:
        check(vars(self), SPEC, "marionette ")
        object.__setattr__(self, "size", tuple(self.size))
        object.__setattr__(self, "classes", tuple(self.classes))

    @property
    def tag(self) -> str:
        """A short name that is unique to the spec."""
        settings = dataclasses.asdict(self)
        if not self.val_per_class:
            # Older data sets without validation videos keep their folders.
            del settings["val_per_class"]
        text = json.dumps(settings, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def per_class(self) -> dict[str, int]:
        """The number of videos per class of each split."""
        counts = {
            "train": self.train_per_class,
            "val": self.val_per_class,
            "test": self.test_per_class,
        }
        return {split: count for split, count in counts.items() if count}


@dataclass(frozen=True)
class _Job:
    file: Path
    label: str
    split: str
    index: int
    spec: MarionetteSpec


def generate(
    directory: Path,
    spec: MarionetteSpec,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Writes `directory/videos/SPLIT/LABEL/LABEL_0000.mp4` and `directory/manifest.csv`.

    `directory/masks/SPLIT/LABEL/LABEL_0000.npz` holds the masks of the limbs that perform the
    action. A call after an interruption writes only the missing files. If several processes ask for
    the same videos, one generates them and the others wait.

    Args:
      directory: output folder; created if it does not exist.
      spec: which videos to generate.
      workers: number of processes; None is one per core.
      progress: called with (videos that exist, total number of videos).

    Returns:
      The path of the manifest.

    Raises:
      OSError: the machine failed, for example because the disk is full. The same call resumes.
    """
    manifest = directory / _MANIFEST
    if not is_generated(directory, spec):
        jobs = list(_jobs(directory, spec))
        with owned(directory, wait=True):
            _make_missing(jobs, workers, progress)
            if not manifest.is_file():
                _write_manifest(manifest, jobs)
    return manifest


def is_generated(directory: Path, spec: MarionetteSpec) -> bool:
    """Returns whether all videos of a spec exist, with their masks and the manifest."""
    return (directory / _MANIFEST).is_file() and not _missing(list(_jobs(directory, spec)))


def _make_missing(jobs: list[_Job], workers: int | None, progress: Progress | None) -> None:
    missing = _missing(jobs)
    made = run_each(_make, missing, workers=workers, seconds=_SECONDS)
    for done, (job, found) in enumerate(made, start=len(jobs) - len(missing) + 1):
        if isinstance(found, Lost):
            raise ChildProcessError(f"{job.file} could not be generated: {found}; run it again")
        if progress:
            progress(done, len(jobs))


def _missing(jobs: list[_Job]) -> list[_Job]:
    return [job for job in jobs if not (job.file.is_file() and mask_file(job.file).is_file())]


def mask_file(video: Path) -> Path:
    """Returns the path of a generated video's masks."""
    *root, _, split, label, name = video.parts
    return Path(*root, "masks", split, label, name).with_suffix(".npz")


def read_masks(video: Path) -> np.ndarray:
    """Reads the masks of the limbs that perform the action, bool `[T, H, W]`.

    Args:
      video: path of a generated video.

    Raises:
      ValueError: the video has no masks.
    """
    file = mask_file(video)
    if not file.is_file():
        raise ValueError(f"{file} is missing: {video} was not generated with masks")
    with np.load(file) as stored:
        bits, shape = stored["bits"], tuple(stored["shape"])
    return np.unpackbits(bits, count=int(np.prod(shape))).astype(bool).reshape(shape)


def _jobs(directory: Path, spec: MarionetteSpec) -> Iterator[_Job]:
    for split, count in spec.per_class.items():
        for label in spec.classes:
            for index in range(count):
                file = directory / "videos" / split / label / f"{label}_{index:04}.mp4"
                yield _Job(file, label, split, index, spec)


def _make(job: _Job) -> None:
    spec, masks = job.spec, mask_file(job.file)
    settings: dict[str, Any] = {
        "seed": spec.seed,
        "split": job.split,
        "index": job.index,
        "size": spec.size,
        "fps": spec.fps,
    }
    for file in (job.file, masks):
        file.parent.mkdir(parents=True, exist_ok=True)
    if not masks.is_file():
        found = render_masks(job.label, **settings)
        with writing_bytes(masks) as stream:
            np.savez_compressed(stream, bits=np.packbits(found), shape=found.shape)
    if not job.file.is_file():
        write_mp4(job.file, render_video(job.label, **settings), spec.fps)


def _write_manifest(path: Path, jobs: list[_Job]) -> None:
    with writing(path) as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "split", "start", "end", "group"))
        for job in jobs:
            name = job.file.relative_to(path.parent).as_posix()
            group = performer_name(job.split, job.spec.seed, job.index)
            writer.writerow((name, job.label, job.split, "", "", group))
