"""Lines that a run prints first: class weights, sampling, mixing and augmentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from vidjax.data.manifest import few
from vidjax.run.config import Config
from vidjax.training.class_weights import ClassWeights
from vidjax.untrusted_names import short


def startup_notes(config: Config, classes: ClassWeights) -> Iterator[str]:
    """Yields a line for each option that is on; nothing for options that are off."""
    train, counts = config.train, classes.counts
    if counts is not None and classes.weights:
        weights = np.array(classes.weights)
        yield from _weights(train.class_weights, classes.classes, counts, weights)
    if counts is not None and train.sampling == "balanced":
        yield _sampling(classes.classes, counts)
    if train.mixup or train.cutmix:
        yield _mixing(train.mixup, train.cutmix, train.cutmix_chance)
    if config.augment.also:
        yield f"each clip is also augmented by {', then '.join(config.augment.also)}"


def _weights(
    choice: str, classes: Sequence[str], counts: np.ndarray, weights: np.ndarray
) -> Iterator[str]:
    seen = np.flatnonzero(counts)
    least, most = seen[weights[seen].argmin()], seen[weights[seen].argmax()]
    ends = (
        f"{weights[place]:.3g} ({short(classes[place])}, {counts[place]} videos)"
        for place in (least, most)
    )
    yield f"class weights ({choice}) range from {' to '.join(ends)}"
    if absent := [name for name, count in zip(classes, counts, strict=True) if not count]:
        yield f"classes without training videos: {few(absent)}"


def _sampling(classes: Sequence[str], counts: np.ndarray) -> str:
    seen = np.flatnonzero(counts)
    clips = counts.sum() / len(seen)
    rare, common = seen[counts[seen].argmin()], seen[counts[seen].argmax()]
    times = (
        f"{clips / counts[place]:.3g} times ({short(classes[place])})" for place in (common, rare)
    )
    return (
        f"balanced sampling: each class has {clips:.4g} clips per epoch, so a video is seen "
        f"{' to '.join(times)}"
    )


def _mixing(mixup: float, cutmix: float, chance: float) -> str:
    methods = {"MixUp": mixup, "CutMix": cutmix}
    on = " or ".join(f"{name} (alpha {alpha:g})" for name, alpha in methods.items() if alpha)
    each = ", half of them with each" if mixup and cutmix else ""
    return f"{100 * chance:.3g} % of the batches are mixed with {on}{each}"
