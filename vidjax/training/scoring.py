"""Scoring videos with a network: the compiled forward pass over an evaluation protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import PartitionSpec as P

from vidjax.data.pipeline import prefetch
from vidjax.data.transforms import normalize
from vidjax.data.views import refuse_coinciding, view_batches
from vidjax.evaluation.protocol import score_videos
from vidjax.evaluation.report import write_report
from vidjax.training.experiment import Experiment
from vidjax.training.sharding import BATCH_AXES, to_devices

Variables = Any
Progress = Callable[[int, int], None]


class Scorer:
    """Scores the videos of the evaluation split of an experiment.

    Args:
      experiment: network, data and protocol.

    Raises:
      ValueError: the protocol's views coincide, or the split is absent.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._views = experiment.views
        self._source = experiment.split(experiment.config.eval.split)
        refuse_coinciding(self._source, self._views)
        self.probabilities = jax.jit(self._forward)

    @property
    def name(self) -> str:
        """Name of the protocol, such as `test-10x3`: split, clips by crops."""
        return f"{self._experiment.config.eval.split}-{self._views.clips}x{self._views.crops}"

    def _forward(self, variables: Variables, clip: jax.Array) -> jax.Array:
        """Crops uint8 `[B, S, T, H, W, 3]` to probabilities float32 `[B, S, K]`."""
        card = self._experiment.card
        flat = normalize(clip.reshape(-1, *clip.shape[2:]), card.mean, card.std)
        logits = self._experiment.model.apply(variables, flat, train=False)
        return jax.nn.softmax(logits.astype(jnp.float32)).reshape(*clip.shape[:2], -1)

    def score(
        self, variables: Variables, progress: Progress | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities `[N, K]` and labels `[N]` of all videos."""
        config = self._experiment.config
        batches = view_batches(
            self._source,
            self._views,
            batch_size=config.eval.batch_size,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        )
        labels = np.zeros(len(self._source), np.int64)

        def predict(batch: Mapping[str, np.ndarray]) -> np.ndarray:
            labels[batch["video"][batch["mask"]]] = batch["label"][batch["mask"]]
            on_devices = to_devices({"clip": batch["clip"]}, self._experiment.mesh)
            return self._local_rows(self.probabilities(variables, on_devices["clip"]))

        total = len(batches)
        scores = score_videos(
            predict,
            prefetch(batches, config.data.threads),
            num_videos=len(self._source),
            num_classes=len(self._experiment.classes),
            progress=(lambda done: progress(done, total)) if progress else None,
        )
        if jax.process_count() > 1:
            labels = multihost_utils.process_allgather(labels).max(axis=0)
        return scores, labels

    def report(
        self, workdir: Path, step: int, scores: np.ndarray, labels: np.ndarray
    ) -> list[Path]:
        """Writes scores, predictions and the confusion picture under `workdir/eval`."""
        views = self._views
        facts = {
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
            workdir / "eval",
            f"{self.name}-step{step}",
            videos=[self._source[index].name for index in range(len(self._source))],
            scores=scores,
            labels=labels,
            classes=self._experiment.classes,
            facts=facts,
        )

    def _local_rows(self, scores: jax.Array) -> np.ndarray:
        if jax.process_count() > 1:
            spec = P(BATCH_AXES)
            scores = multihost_utils.global_array_to_host_local_array(
                scores, self._experiment.mesh, spec
            )
        return np.asarray(scores)
