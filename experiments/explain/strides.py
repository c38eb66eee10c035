"""Measures how the accuracy of runs depends on the stride between the frames of a test clip."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from absl import flags

from vidjax.explain.strides import StridePoint, stride_point
from vidjax.explain.tables import write_table
from vidjax.progress import ProgressLine
from vidjax.run.config import Config
from vidjax.storage.writing import make_folder, write_text
from vidjax.trained.scoring import Scorer
from vidjax.untrusted_names import nearest

from .. import help_text
from . import seeds
from .explained_network import Subject
from .output_files import new_files, write_figure
from .strides_over_seeds import StrideCurves, draw, render

_STRIDES = flags.DEFINE_list(
    "strides", "1,2,3,4", "STRIDE,...: Strides between the frames of the test clips."
)
_WITHOUT = flags.DEFINE_list(
    "without_classes",
    "",
    "CLASS,...: Classes whose videos are left out, such as those that differ in speed only.",
)
help_text.group("Strides", _STRIDES, _WITHOUT)


def explain_strides(
    subjects: Sequence[Subject], output: Path, progress: ProgressLine
) -> list[Path]:
    """Tests each run at each stride."""
    strides = _strides(_STRIDES.value)
    for subject in subjects:
        _check(subject, strides)
    files = new_files(output, "strides.csv", "strides.md", "strides.png")
    by_name = {subject.name: subject for subject in subjects}
    configs = {name: subject.config for name, subject in by_name.items()}
    groups = seeds.networks({name: seeds.Member(config) for name, config in configs.items()})
    make_folder(output)
    points: dict[str, list[StridePoint]] = {name: [] for name in by_name}
    for network, runs in groups.items():
        for stride in strides:
            tested = _test([by_name[run] for run in runs], stride, network, progress)
            for run, point in zip(runs, tested, strict=True):
                points[run].append(point)
    write_table(files[0], StridePoint, [point for own in points.values() for point in own])
    networks = _curves(groups, configs, points)
    write_text(files[1], render(networks, _WITHOUT.value))
    write_figure(files[2], draw(networks))
    return files


def _curves(
    groups: Mapping[str, Sequence[str]],
    configs: Mapping[str, Config],
    points: Mapping[str, Sequence[StridePoint]],
) -> list[StrideCurves]:
    return [
        StrideCurves(network, {configs[run].seed: points[run] for run in runs})
        for network, runs in groups.items()
    ]


def _test(
    runs: Sequence[Subject], stride: int, network: str, progress: ProgressLine
) -> list[StridePoint]:
    """Tests the runs of one network at one stride; each video is read once."""
    first = runs[0]
    # With `fit`, short videos would be tested at smaller strides.
    clip = dataclasses.replace(first.config.clip, stride=stride, fit=False)
    experiment = first.open(progress.count, dataclasses.replace(first.config, clip=clip))
    kept = _kept_classes(experiment.network.classes, _WITHOUT.value)

    def show(done: int, total: int) -> None:
        progress.show(f"{network}, stride {stride}: {done}/{total}", final=done == total)

    variables = [run.trained.variables for run in runs]
    scores, labels = Scorer(experiment, experiment.network.probabilities).score_each(
        variables, show
    )
    videos = kept[labels]
    if not videos.any():
        raise ValueError("--without_classes leaves out every video")
    return [
        stride_point(run.name, stride, run.config.clip.stride, own[videos], labels[videos])
        for run, own in zip(runs, scores, strict=True)
    ]


def _kept_classes(classes: Sequence[str], without: Sequence[str]) -> np.ndarray:
    """Returns whether each class is kept."""
    for name in without:
        if name not in classes:
            raise ValueError(
                f"--without_classes: class {name!r} is unknown: {nearest(name, classes)}"
            )
    return np.array([name not in without for name in classes])


def _strides(texts: Sequence[str]) -> list[int]:
    if not texts or not all(text.strip().isdecimal() and int(text) for text in texts):
        raise ValueError(f"--strides={','.join(texts)}: must be whole numbers, such as 1,2,3,4")
    return sorted({int(text) for text in texts})


def _check(subject: Subject, strides: Sequence[int]) -> None:
    """Refuses runs that have no stride, or whose own stride is not among the strides."""
    subject.require_single_label("top-1 does not apply to it")
    clip = subject.config.clip
    if clip.sampling in ("segments", "still"):
        raise ValueError(
            f"{subject.name} has clip.sampling = {clip.sampling!r}, so its clips have no stride"
        )
    if clip.stride not in strides or len(strides) == 1:
        raise ValueError(
            f"--strides={','.join(map(str, strides))}: needs {clip.stride}, which {subject.name} "
            "was trained with, and at least one other"
        )
