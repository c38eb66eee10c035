"""Writing the data set: H.264 files and a manifest."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from vidjax.data.encode import write_mp4
from vidjax.data.marionette.actions import CLASSES
from vidjax.data.marionette.render import performer_name, render_video

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class MarionetteSpec:
    """A version of the data set; equal specs give equal files.

    Attributes:
      train_per_class: training videos of each class.
      test_per_class: test videos of each class, by other performers.
      seed: of everything random.
      size: height and width in pixels, even.
      fps: frames a second.
      classes: labels to generate.

    Raises:
      ValueError: a number is out of its range or a class is unknown.
    """

    train_per_class: int = 48
    test_per_class: int = 12
    seed: int = 0
    size: tuple[int, int] = (96, 128)
    fps: int = 15
    classes: tuple[str, ...] = CLASSES

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", tuple(self.size))
        object.__setattr__(self, "classes", tuple(self.classes))
        if self.train_per_class < 1 or self.test_per_class < 1:
            counts = (self.train_per_class, self.test_per_class)
            raise ValueError(f"train_per_class, test_per_class = {counts}: each at least 1")
        if min(self.size) < 32 or self.size[0] % 2 or self.size[1] % 2:
            raise ValueError(f"size = {self.size}: even numbers of at least 32")
        if self.fps < 1:
            raise ValueError(f"fps = {self.fps}: at least 1")
        unknown = sorted(set(self.classes) - set(CLASSES))
        if unknown or not self.classes:
            raise ValueError(f"classes {unknown} are unknown; known: {', '.join(CLASSES)}")

    @property
    def tag(self) -> str:
        """A short name that differs between specs."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


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

    What an interrupted call has written is kept and not made again.

    Args:
      directory: where to; made if absent.
      spec: which videos.
      workers: processes; None is one a core.
      progress: called with (videos there, videos in all).

    Returns:
      The manifest's path.
    """
    manifest = directory / "manifest.csv"
    if manifest.is_file():
        return manifest
    jobs = list(_jobs(directory, spec))
    missing = [job for job in jobs if not job.file.is_file()]
    done = len(jobs) - len(missing)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers or os.cpu_count(), mp_context=context) as pool:
        for _ in pool.map(_make, missing, chunksize=4):
            done += 1
            if progress:
                progress(done, len(jobs))
    _write_manifest(manifest, jobs)
    return manifest


def _jobs(directory: Path, spec: MarionetteSpec) -> Iterator[_Job]:
    for split, count in (("train", spec.train_per_class), ("test", spec.test_per_class)):
        for label in spec.classes:
            for index in range(count):
                file = directory / "videos" / split / label / f"{label}_{index:04}.mp4"
                yield _Job(file, label, split, index, spec)


def _make(job: _Job) -> None:
    spec = job.spec
    frames = render_video(
        job.label,
        seed=spec.seed,
        split=job.split,
        index=job.index,
        size=spec.size,
        fps=spec.fps,
    )
    job.file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = job.file.with_suffix(".part")
    write_mp4(unfinished, frames, spec.fps)
    os.replace(unfinished, job.file)


def _write_manifest(path: Path, jobs: list[_Job]) -> None:
    unfinished = path.with_suffix(".part")
    with unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "split", "start", "end", "group"))
        for job in jobs:
            name = job.file.relative_to(path.parent).as_posix()
            group = performer_name(job.split, job.spec.seed, job.index)
            writer.writerow((name, job.label, job.split, "", "", group))
    os.replace(unfinished, path)
