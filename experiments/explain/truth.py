"""Whether tubes tell the truth, on generated videos whose acting limbs are known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import flags

from vidjax.data import transforms
from vidjax.data.marionette import MarionetteSpec
from vidjax.data.marionette.generate import read_masks
from vidjax.data.prepared import Record
from vidjax.data.views import Views
from vidjax.explain.rows import write_rows
from vidjax.explain.saliency_tubes import saliency_tube
from vidjax.explain.truth import (
    Truth,
    energy_inside,
    points_inside,
    random_map,
    steps_of,
)
from vidjax.explain.truth_report import Case, TruthRow, draw_truth, rows_of
from vidjax.progress import ProgressLine
from vidjax.run.config import Config
from vidjax.run.network import Network
from vidjax.storage.paths import as_path
from vidjax.storage.writing import make_folder

from .files import new_files, write_figure
from .settings import Subject

_VIDEOS = flags.DEFINE_integer("videos", None, "truth: so many test videos; all if not given", 1)
_STEPS = flags.DEFINE_integer("steps", 8, "truth: of deletion and insertion", lower_bound=1)
Measured = dict[Case, list[Truth]]


def explain_truth(subjects: Sequence[Subject], output: Path, progress: ProgressLine) -> list[Path]:
    """Measures the tubes of networks, and of the same with random weights."""
    table, picture = files = new_files(output, "truth.csv", "truth.png")
    measured: Measured = {}
    for subject in subjects:
        for case, truth in _measure(subject, progress):
            measured.setdefault(case, []).append(truth)
    rows = rows_of(measured)
    make_folder(output)
    write_rows(table, TruthRow, rows)
    write_figure(picture, draw_truth(rows))
    return files


def _measure(subject: Subject, progress: ProgressLine) -> Iterator[tuple[Case, Truth]]:
    config = subject.config
    if config.data.name != "marionette":
        raise ValueError(
            f"{subject.name}: data.name = {config.data.name!r}; only marionette has masks"
        )
    experiment = subject.open(progress.count)
    network = experiment.network
    weights = {"trained": subject.trained.variables, "random": _random_weights(network)}
    source = experiment.split(config.eval.split)
    folder = _folder(config)
    views = dataclasses.replace(network.views, clips=1, crops=1)
    probabilities = jax.jit(network.probabilities)
    chosen = np.linspace(0, len(source) - 1, min(len(source), _VIDEOS.value or len(source)))
    for done, number in enumerate(chosen.astype(int), start=1):
        record = source[int(number)]
        (frames,) = views.cut(record, 0)
        label = record.label
        assert isinstance(label, int)  # of generated videos
        mask = _mask(folder / record.name, record, views)
        for name, variables in weights.items():
            score = _scorer(probabilities, variables, frames, network, label)
            for kind, volume in _maps(network, variables, frames, label, int(number)):
                yield (subject.name, name, kind), _truth(volume, mask, score)
        progress.show(f"{subject.name}: {done}/{len(chosen)}", final=done == len(chosen))


def _random_weights(network: Network) -> Any:
    clip = np.zeros((1, *network.clip_shape), np.float32)
    key = jax.random.key(network.config.seed + 1)
    return jax.jit(lambda key: network.module.init(key, clip, train=False))(key)


def _folder(config: Config) -> Path:
    spec = MarionetteSpec(**config.data.options)
    return as_path(config.data.data_dir) / "marionette_videos" / spec.tag


def _mask(video: Path, record: Record, views: Views) -> np.ndarray:
    """The mask in the view's frames, cut as they are."""
    masks = read_masks(video)
    (indices,) = views.shape.view_indices(len(record.jpegs), 1)
    pictures = np.repeat(masks[indices][..., None], 3, axis=-1).astype(np.uint8) * 255
    sized = views.resized(pictures)
    (box,) = transforms.spatial_views(sized, views.size, 1)
    return transforms.crop(sized, box)[..., 0] > 127


def _maps(
    network: Network, variables: Any, frames: np.ndarray, label: int, seed: int
) -> Iterator[tuple[str, np.ndarray]]:
    clip = transforms.normalize(frames[None], network.mean, network.std)
    for kind, settings in (
        ("tube", {}),
        ("tube, tau 0.5", {"tau": 0.5}),
        ("CAM", {"mode": "cam"}),
    ):
        tube = saliency_tube(network.module, variables, clip, label, **settings)
        yield kind, tube.volume
    rng = np.random.default_rng((network.config.seed, seed))
    yield "random map", random_map(rng, tube.volume.shape, tube.low[0].shape)


def _scorer(
    probabilities: Callable[..., Any],
    variables: Any,
    frames: np.ndarray,
    network: Network,
    label: int,
) -> Callable[[np.ndarray], np.ndarray]:
    """From places to blank, `[N, T, H, W]`, to the label's probabilities."""
    blank = np.rint(255 * np.array(network.mean)).astype(np.uint8)

    def score(places: np.ndarray) -> np.ndarray:
        crops = np.where(places[..., None], blank, frames)
        return np.asarray(probabilities(variables, crops[None]))[0, :, label]

    return score


def _truth(
    volume: np.ndarray, mask: np.ndarray, score: Callable[[np.ndarray], np.ndarray]
) -> Truth:
    steps = steps_of(volume, _STEPS.value)
    curves = score(np.concatenate([steps, ~steps])).reshape(2, -1)
    deletion, insertion = (float(np.trapezoid(curve) / _STEPS.value) for curve in curves)
    return Truth(
        float(points_inside(volume, mask)),
        energy_inside(volume, mask),
        float(mask.mean()),
        deletion,
        insertion,
    )
