"""Evaluates a network: runs the compiled forward pass over the videos of a protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import PartitionSpec as P

from vidjax.data.pipeline import prefetch
from vidjax.data.prepared import names_of
from vidjax.data.views import refuse_coinciding, view_batches
from vidjax.evaluation.clip_level import HITS, with_hits, without_hits
from vidjax.evaluation.protocol import score_videos
from vidjax.evaluation.report import write_report
from vidjax.progress import ProgressLine
from vidjax.run.config import Config
from vidjax.run.experiment import Experiment
from vidjax.run.process_consistency import agree_on_data
from vidjax.run.processes import after_first, is_first
from vidjax.run.sharding import BATCH_AXES, to_devices
from vidjax.storage.writing import check_writable, make_folder
from vidjax.trained.trained_network import Trained
from vidjax.watchdog import report_progress

Variables = Any
Progress = Callable[[int, int], None]
Forward = Callable[[Variables, jax.Array], jax.Array]
# Folder of a run's evaluation reports.
REPORTS = "eval"


@dataclass(frozen=True)
class Scored:
    """The scores of the videos of a split.

    Attributes:
      scores: probabilities `[N, K]`, averaged over the views of each video.
      labels: int64 `[N]`, or bool `[N, K]` for several labels per video.
      clips: `clip_top1` and `clip_top5`, scores of single views as in `clip_level`. Empty for
        several labels per video, and for a custom `forward`.
      readings: what the network's methods report, averaged over all views, such as `right/layer1`;
        empty for a custom `forward`.
    """

    scores: np.ndarray
    labels: np.ndarray
    clips: Mapping[str, float] = field(default_factory=dict)
    readings: Mapping[str, float] = field(default_factory=dict)


class Scorer:
    """Scores the videos of an experiment's evaluation split.

    Args:
      experiment: network, data and protocol.
      forward: maps variables and crops uint8 `[B, S, T, H, W, 3]` to probabilities `[B, S, K]`; it
        is compiled. None is the network's own forward pass.
      width: K, if `forward` does not return the classes; None is the number of classes.

    Raises:
      ValueError: views of the protocol coincide, or the split does not exist.
    """

    def __init__(
        self, experiment: Experiment, forward: Forward | None = None, width: int | None = None
    ) -> None:
        self._experiment = experiment
        self._network = experiment.network
        self._width = width or len(self._network.classes)
        self._of_clips = forward is None and not experiment.config.data.multi_label
        self._views = experiment.network.views
        self._source = experiment.split(experiment.config.eval.split)
        refuse_coinciding(self._source, self._views)
        self._probabilities = jax.jit(forward or self._network.probabilities)
        self._with_readings = jax.jit(self._network.with_readings)
        self._readings = self._network.readings_for(self._crops_shape) if not forward else ()

    @property
    def _crops_shape(self) -> tuple[int, ...]:
        views, channels = self._views, self._experiment.config.data.channels
        return (1, views.crops, views.shape.frames, views.size, views.size, channels)

    @property
    def name(self) -> str:
        """Name of the protocol, such as `test-10x3`: split, clips and crops."""
        return f"{self._experiment.config.eval.split}-{self._views.clips}x{self._views.crops}"

    def score(self, variables: Variables, progress: Progress | None = None) -> Scored:
        """Scores all videos: averages over their views, scores of single views, and readings."""
        (averages,), labels = self._averages([variables], progress, all_of_views=True)
        averages, readings = np.split(averages, [averages.shape[1] - len(self._readings)], axis=1)
        scores, clips = without_hits(averages) if self._of_clips else (averages, {})
        means = dict(zip(self._readings, readings.mean(axis=0).tolist(), strict=True))
        return Scored(scores, labels, clips, means)

    def score_each(
        self, variants: Sequence[Variables], progress: Progress | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns probabilities `[V, N, K]` for V sets of variables, and labels as in `Scored`.

        Each video is read once, however many sets there are.
        """
        return self._averages(variants, progress, all_of_views=False)

    def _averages(
        self, variants: Sequence[Variables], progress: Progress | None, all_of_views: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Does the same as `score_each`; `all_of_views` appends hits and readings of views."""
        config = self._experiment.config
        batches = view_batches(
            self._source,
            self._views,
            batch_size=config.eval.batch_size,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        )
        num_videos = len(self._source)
        labels = self._network.targets.zeros(num_videos)

        def predict(batch: Mapping[str, np.ndarray]) -> np.ndarray:
            labels[batch["video"][batch["mask"]]] = batch["label"][batch["mask"]]
            if all_of_views:
                return self._all_of_views(variants[0], batch)
            clip = to_devices({"clip": batch["clip"]}, self._network.mesh)["clip"]
            rows = [self._local_rows(self._probabilities(each, clip)) for each in variants]
            return np.concatenate(rows, axis=-1)

        total = len(batches)
        more = (HITS * self._of_clips + len(self._readings)) if all_of_views else 0
        report_progress(f"evaluating {self.name}", compiling=True)
        scores = score_videos(
            predict,
            prefetch(batches, config.data.threads),
            num_videos=num_videos,
            num_classes=len(variants) * (self._width + more),
            progress=(lambda done: progress(done, total)) if progress else None,
        )
        if jax.process_count() > 1:
            labels = multihost_utils.process_allgather(labels).max(axis=0)
        return scores.reshape(num_videos, len(variants), -1).swapaxes(0, 1), labels

    def _all_of_views(self, variables: Variables, batch: Mapping[str, np.ndarray]) -> np.ndarray:
        """Returns probabilities of views, then hits and readings, as far as there are any."""
        label = batch["label"]
        there = to_devices({"clip": batch["clip"], "label": label}, self._network.mesh)
        if not self._readings:
            scores = self._local_rows(self._probabilities(variables, there["clip"]))
            return with_hits(scores, label) if self._of_clips else scores
        both = self._local_rows(self._with_readings(variables, there["clip"], there["label"]))
        scores, readings = np.split(both, [self._width], axis=-1)
        scores = with_hits(scores, label) if self._of_clips else scores
        return np.concatenate([scores, readings], axis=-1)

    def report(
        self,
        workdir: Path,
        step: int,
        scored: Scored,
        say: Callable[[str], None] = lambda line: None,
        keep_scores: bool = False,
    ) -> list[Path]:
        """Writes scores, predictions and classes under `workdir/eval`; see `write_report`.

        An existing report of this name for other videos or views is renamed, and `say` is told.
        """
        views = self._views
        facts = {
            **scored.clips,
            **({"readings": dict(scored.readings)} if scored.readings else {}),
            "step": step,
            "split": self._experiment.config.eval.split,
            "views": {
                "clips": views.clips,
                "crops": views.crops,
                "size": views.size,
                "frames": views.shape.frames,
                "stride": views.shape.stride,
                "sampling": views.shape.sampling,
            },
            "manifest": self._source.manifest_digest,
            "unreadable": [row["video"] for row in self._source.broken],
        }
        return write_report(
            workdir / REPORTS,
            f"{self.name}-step{step}",
            videos=names_of(self._source),
            scores=scored.scores,
            labels=scored.labels,
            classes=self._network.classes,
            facts=facts,
            say=say,
            keep_scores=keep_scores,
        )

    def _local_rows(self, scores: jax.Array) -> np.ndarray:
        if jax.process_count() > 1:
            spec = P(BATCH_AXES)
            scores = multihost_utils.global_array_to_host_local_array(
                scores, self._network.mesh, spec
            )
        return np.asarray(scores)


def _require_place(folder: Path) -> None:
    """Checks that a folder is writable: makes it and a temporary file in it.

    Raises:
      OSError: the folder cannot be written.
    """
    if is_first():
        make_folder(folder, folder.parent)
        check_writable(folder)


def evaluate(
    config: Config,
    trained: Trained,
    output: Path,
    progress: ProgressLine,
    *,
    mapping: Mapping[str, str] | None = None,
    unprepared: str = "",
    keep_scores: bool = False,
) -> list[Path]:
    """Evaluates a trained network and writes the report.

    Args:
      config: configuration with the data set and the protocol; for a run, the run's.
      trained: the network.
      output: folder for the report, under `eval`; for a run, the run's directory.
      progress: called with the progress.
      mapping: as in `Experiment.open`.
      unprepared: advice if the data set is not prepared yet, as the end of an error message. If
        empty, the data set is prepared as the configuration says.
      keep_scores: whether to keep all scores beside the report.

    Returns:
      The report's files: JSON, predictions and figure; none in processes that do not write.

    Raises:
      ValueError: the weights cannot be read, the protocol does not fit the videos, or the network
        is multi-label and the data set is not, or the other way round.
      OSError: the report cannot be written.
    """
    if trained.multi_label != config.data.multi_label:
        raise ValueError(
            f"data.multi_label = {config.data.multi_label}: {trained.source} predicts "
            f"{'several classes' if trained.multi_label else 'one class'} per clip, so its scores "
            f"would be meaningless; set data.multi_label={trained.multi_label}"
        )
    experiment = Experiment.open(
        config, progress.count, classes=trained.labels, mapping=mapping, unprepared=unprepared
    )
    scorer = Scorer(experiment)
    variables = trained.variables
    agree_on_data(experiment, (config.eval.split,), step=trained.step)
    # Checked first, because hours of scoring would be lost if the report could not be written.
    after_first(lambda: _require_place(output / REPORTS), "checking the folder for the report")
    scored = scorer.score(
        variables, lambda done, total: progress.show(f"evaluating {done}/{total}")
    )
    if not is_first():
        return []
    return scorer.report(output, trained.step or 0, scored, progress.note, keep_scores)
