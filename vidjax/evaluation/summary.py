"""Summarises an evaluation in a few numbers, for single-label and multi-label data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vidjax.evaluation import average_precision as several
from vidjax.evaluation import metrics

# With fewer classes, the label is (almost) always among the top five.
FEWEST_FOR_TOP5 = 6
_NUMBERS = ("top1", "top5", "map", "videos", "mean_class", "f1_micro", "f1_macro", "loss")


def summarize(scores: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Summarises an evaluation as JSON types.

    For single-label data it has `top1`, `top5` (with more than five classes), `videos`,
    `mean_class` (mean accuracy of the classes with videos), `loss` (cross-entropy) and `per_class`
    (accuracies). For multi-label data it has `map` (mean average precision of the classes with
    videos), `videos`, `f1_micro` and `f1_macro` at 0.5, `loss` (binary cross-entropy, averaged over
    classes) and `per_class` (average precisions). The loss is computed from the probabilities
    averaged over a video's views; targets are not smoothed.

    Args:
      scores: `[N, K]` probabilities.
      labels: int `[N]`, or bool `[N, K]` for multi-label data.
      classes: K class names.

    Raises:
      ValueError: no video has a label.
    """
    return (_of_several if labels.ndim > 1 else _of_one)(scores, labels, classes)


def numbers_of(summary: Mapping[str, Any]) -> dict[str, float]:
    """Returns the numbers of a summary that concern all classes."""
    return {name: summary[name] for name in _NUMBERS if summary.get(name) is not None}


def main_score(summary: Mapping[str, Any]) -> float:
    """Returns the score that selects the best checkpoint: mean average precision, or top-1."""
    return float(summary["map"] if "map" in summary else summary["top1"])


def score_of(scores: np.ndarray, labels: np.ndarray) -> float:
    """Returns the main score of probabilities `[N, K]` for labels as in `summarize`."""
    if labels.ndim > 1:
        return several.mean_average_precision(several.average_precision(scores, labels))
    return metrics.top_k(scores, labels, 1)


def as_text(summary: Mapping[str, Any]) -> str:
    """Describes a summary in a few words, without values that an older report lacks."""
    numbers, main = numbers_of(summary), []
    for name, title in (("map", "mAP"), ("top1", "top-1"), ("top5", "top-5")):
        if name in numbers:
            main.append(f"{title} {numbers[name]:.1%}")
    more = [f"mean over classes {numbers['mean_class']:.1%}"] if "mean_class" in numbers else []
    more += [f"micro F1 {numbers['f1_micro']:.1%}"] if "f1_micro" in numbers else []
    more += [f"loss {numbers['loss']:.3f}"] if "loss" in numbers else []
    single = summary.get("clip_top1")
    more += [f"single clips {single:.1%}"] if single is not None else []
    rest = f" ({', '.join(more)})" if more else ""
    return f"{', '.join(main)} of {summary['videos']} videos{rest}"


def _of_one(scores: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    matrix = metrics.confusion(scores.argmax(axis=1), labels, len(classes))
    accuracies = metrics.per_class(matrix)
    top5 = {"top5": metrics.top_k(scores, labels, 5)} if len(classes) >= FEWEST_FOR_TOP5 else {}
    return {
        "top1": metrics.top_k(scores, labels, 1),
        **top5,
        "videos": len(labels),
        "mean_class": metrics.mean_class(accuracies),
        "loss": metrics.cross_entropy(scores, labels),
        "per_class": _by_name(classes, accuracies),
    }


def _of_several(scores: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    precisions = several.average_precision(scores, labels)
    micro, macro = several.f1(scores, labels)
    return {
        "map": several.mean_average_precision(precisions),
        "videos": len(labels),
        "f1_micro": micro,
        "f1_macro": macro,
        "loss": several.binary_cross_entropy(scores, labels),
        "per_class": _by_name(classes, precisions),
    }


def _by_name(classes: Sequence[str], values: np.ndarray) -> dict[str, float | None]:
    return {
        name: None if np.isnan(value) else float(value)
        for name, value in zip(classes, values, strict=True)
    }
