"""Estimates batch statistics anew from training clips, for variants of a trained network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from vidjax.data.transforms import normalize
from vidjax.evaluation.batch_statistics import StatisticsMean, batch_statistics
from vidjax.run.experiment import Experiment
from vidjax.run.network import Network
from vidjax.run.sharding import to_devices

Statistics = Any


def statistics_of(network: Network, variables: Any, clip: jax.Array) -> Statistics:
    """Computes the batch statistics of crops uint8 `[B, S, T, H, W, 3]`; see `batch_statistics`."""
    flat = normalize(clip.reshape(-1, *clip.shape[2:]), network.mean, network.std)
    with batch_statistics():
        _, state = network.module.apply(variables, flat, train=False, mutable=["batch_stats"])
    return state.get("batch_stats", {})


def recalibrate(
    experiment: Experiment,
    variants: Sequence[Any],
    statistics: Callable[[Any, jax.Array], Statistics],
    clips: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Statistics]:
    """Estimates the batch statistics of each variant from the same training clips.

    The clips are the middle clips of random videos of the training split, cut as in evaluation.
    The choice depends on the number of clips alone. Batches have `eval.batch_size` clips, or fewer
    if there are not so many.

    Args:
      experiment: network and data.
      variants: V variants of the network, such as pairs of variables and factors.
      statistics: computes the `batch_stats` of a variant for one batch; it is compiled.
      clips: number of clips; the last batch is left out if it is not full.
      progress: called with the number of finished batches and of all batches.

    Returns:
      The `batch_stats` of each variant.

    Raises:
      ValueError: there are fewer clips than devices.
    """
    source = experiment.split(experiment.config.data.train_split)
    views = dataclasses.replace(experiment.network.views, clips=1, crops=1)
    devices = experiment.network.mesh.size
    size = min(experiment.config.eval.batch_size, clips, len(source)) // devices * devices
    if not size:
        raise ValueError(
            f"{min(clips, len(source))} training clips are too few to estimate batch statistics on "
            f"{devices} devices"
        )
    batches = list(_batches(len(source), clips, size))
    means = [StatisticsMean() for _ in variants]
    compiled = jax.jit(statistics)
    for done, numbers in enumerate(batches, start=1):
        cut = np.stack([views.cut(source[int(number)], 0) for number in numbers])
        clip = to_devices({"clip": cut}, experiment.network.mesh)["clip"]
        for variant, mean in zip(variants, means, strict=True):
            mean.add(compiled(variant, clip))
        progress(done, len(batches))
    return [mean.value for mean in means]


def _batches(videos: int, clips: int, size: int) -> Iterator[np.ndarray]:
    """Yields the numbers of the videos of each full batch."""
    order = np.random.default_rng(0).permutation(videos)[:clips]
    for start in range(0, len(order) - size + 1, size):
        yield order[start : start + size]
