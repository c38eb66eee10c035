"""Late fusion: combines the scores of several networks on the same videos.

Probabilities are averaged with weights. The arithmetic mean is that of two-stream networks
(Simonyan and Zisserman 2014, section 3). The geometric mean is the average of logits up to a
normalisation.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from vidjax.evaluation.score_files import ScoresError, ScoreTable
from vidjax.evaluation.summary import score_of

MEANS = ("arithmetic", "geometric")
# `search` tries weights that are multiples of 1 / SHARES.
SHARES = 10
MOST_SEARCHED = 6
# Smaller probabilities are raised to this value, or a single 0 would decide the geometric mean.
_LEAST = 1e-12


def align(
    tables: Sequence[ScoreTable], sources: Sequence[str], *, common: bool = False
) -> list[ScoreTable]:
    """Brings tables to the same names and classes, in the order of the first table.

    Args:
      tables: at least one table. Videos and classes are matched by name.
      sources: names of the tables for errors.
      common: keep only the videos that all tables have, instead of refusing the others.

    Returns:
      The tables. Each has the labels that at least one of them knows.

    Raises:
      ScoresError: videos, classes, labels, splits or kinds of scores do not match; names one.
    """
    first = tables[0]
    for table, source in zip(tables[1:], sources[1:], strict=True):
        _refuse_other_kind(first, table, sources[0], source)
        odd = sorted({*first.classes.tolist()} ^ {*table.classes.tolist()})
        if odd:
            raise ScoresError(
                f"{sources[0]} and {source} do not have the same classes: {len(odd)} differ, "
                f"such as {odd[0]!r}"
            )
    names = _names(tables, sources, common)
    chosen = [_chosen(table, names, first.classes) for table in tables]
    labels = _labels(chosen, sources)
    return [dataclasses.replace(table, labels=labels) for table in chosen]


def fuse(tables: Sequence[ScoreTable], weights: Sequence[float], mean: str) -> np.ndarray:
    """Computes the weighted mean of aligned tables.

    Args:
      tables: aligned tables.
      weights: one weight per table, not negative and not all 0.
      mean: one of `MEANS`.

    Returns:
      Probabilities float64 `[N, C]`.

    Raises:
      ValueError: the weights do not fit.
    """
    shares = checked_weights(weights, len(tables))
    scores = np.stack([table.scores.astype(np.float64) for table in tables])
    if mean == "arithmetic":
        return np.asarray(np.tensordot(shares, scores, 1))
    yes = _geometric(shares, scores)
    if tables[0].multi_label:
        return np.asarray(yes / (yes + _geometric(shares, 1 - scores)))
    return np.asarray(yes / yes.sum(axis=1, keepdims=True))


def checked_weights(weights: Sequence[float], count: int) -> np.ndarray:
    """Normalises weights to shares float64 `[count]` that sum to 1.

    Raises:
      ValueError: the number of weights is wrong, one is negative or not finite, or all are 0.
    """
    values = np.array(weights, np.float64)
    text = ",".join(f"{value:g}" for value in weights)
    if len(values) != count:
        raise ValueError(f"weights = {text}: give {count} weights, one for each input")
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"weights = {text}: each must be a number of at least 0")
    if not values.any():
        raise ValueError(f"weights = {text}: at least one must be more than 0")
    return values / values.max() / (values / values.max()).sum()


def search(tables: Sequence[ScoreTable], labels: np.ndarray, mean: str) -> tuple[float, ...]:
    """Finds the weights with the highest score among all multiples of 0.1 that sum to 1.

    The score is top-1, or mean average precision for multi-label data. Ties go to the weights
    nearest to equal ones. Do not search on the videos on which you report the result.

    Args:
      tables: aligned tables, at most `MOST_SEARCHED`.
      labels: int `[N]`, or bool `[N, C]` for multi-label data.
      mean: one of `MEANS`.

    Raises:
      ValueError: there are too many tables.
    """
    if len(tables) > MOST_SEARCHED:
        raise ValueError(
            f"cannot search the weights of {len(tables)} inputs; {MOST_SEARCHED} at most"
        )
    return max(
        _shares(len(tables)),
        key=lambda shares: (
            score_of(fuse(tables, shares, mean), labels),
            -sum(share**2 for share in shares),
        ),
    )


def _shares(count: int) -> Iterator[tuple[float, ...]]:
    for parts in itertools.product(range(SHARES + 1), repeat=count - 1):
        if sum(parts) <= SHARES:
            yield tuple(part / SHARES for part in (*parts, SHARES - sum(parts)))


def _geometric(shares: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(np.tensordot(shares, np.log(np.maximum(scores, _LEAST)), 1)))


def _refuse_other_kind(a: ScoreTable, b: ScoreTable, source: str, other: str) -> None:
    if a.multi_label != b.multi_label:
        raise ScoresError(
            f"only one of {source} and {other} has multi-label scores; they cannot be fused"
        )
    if a.split and b.split and a.split != b.split:
        raise ScoresError(
            f"{source} has the split {a.split!r}, {other} has {b.split!r}; fuse scores of one split"
        )


def _names(tables: Sequence[ScoreTable], sources: Sequence[str], common: bool) -> list[str]:
    sets = [{*table.names.tolist()} for table in tables]
    shared = set.intersection(*sets)
    for names, source in zip(sets, sources, strict=True):
        absent = sorted(set.union(*sets) - names)
        if absent and not common:
            raise ScoresError(
                f"{source} lacks {len(absent)} videos that others have, such as {absent[0]!r}; "
                "--common fuses only the videos that all have"
            )
    if not shared:
        raise ScoresError(f"{', '.join(sources)} have no video in common")
    return [name for name in tables[0].names.tolist() if name in shared]


def _chosen(table: ScoreTable, names: Sequence[str], classes: np.ndarray) -> ScoreTable:
    rows, columns = (
        [{name: place for place, name in enumerate(known.tolist())}[name] for name in wanted]
        for known, wanted in ((table.names, names), (table.classes, classes.tolist()))
    )
    return dataclasses.replace(
        table,
        names=table.names[rows],
        labels=table.labels[rows],
        classes=classes,
        scores=table.scores[np.ix_(rows, columns)],
    )


def _labels(tables: Sequence[ScoreTable], sources: Sequence[str]) -> np.ndarray:
    """Returns the labels that at least one table knows."""
    known, source_of = tables[0].labels.astype(object), sources[0]
    for table, source in zip(tables[1:], sources[1:], strict=True):
        labels = table.labels.astype(object)
        odd = (labels != known) & (labels != "") & (known != "")
        if odd.any():
            place = int(odd.argmax())
            raise ScoresError(
                f"{str(table.names[place])!r} is {known[place]!r} in {source_of} and "
                f"{labels[place]!r} in {source}; fuse scores of the same labels"
            )
        known = np.where(known == "", labels, known)
    return known.astype(str)
