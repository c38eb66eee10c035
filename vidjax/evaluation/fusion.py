"""Late fusion: the scores of several networks on the same videos become one.

Probabilities are averaged with weights: arithmetically, as two-stream networks do (Simonyan and
Zisserman 2014, section 3), or geometrically, which is the average of logits up to a normalisation.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from vidjax.evaluation.score_files import ScoresError, ScoreTable
from vidjax.evaluation.summary import score_of

MEANS = ("arithmetic", "geometric")
# Shares of the weight that `search` tries are multiples of 1 / SHARES.
SHARES = 10
MOST_SEARCHED = 6
# Below it a float32 probability is 0, whose logarithm would decide alone.
_LEAST = 1e-12


def align(
    tables: Sequence[ScoreTable], sources: Sequence[str], *, common: bool = False
) -> list[ScoreTable]:
    """Tables of equal names and classes, in the order of the first one.

    Args:
      tables: at least one. Videos and classes are matched by name.
      sources: what to call each table in errors.
      common: keeps the videos that all tables have, instead of refusing other ones.

    Returns:
      The tables; each has the labels that any of them knows.

    Raises:
      ScoresError: videos, classes, labels, splits or kinds of scores do not go together; names one.
    """
    first = tables[0]
    for table, source in zip(tables[1:], sources[1:], strict=True):
        _refuse_other_kind(first, table, sources[0], source)
        odd = sorted({*first.classes.tolist()} ^ {*table.classes.tolist()})
        if odd:
            raise ScoresError(
                f"{sources[0]} and {source} do not have the same classes: {len(odd)} differ, "
                f"{odd[0]!r} among them"
            )
    names = _names(tables, sources, common)
    chosen = [_chosen(table, names, first.classes) for table in tables]
    labels = _labels(chosen, sources)
    return [dataclasses.replace(table, labels=labels) for table in chosen]


def fuse(tables: Sequence[ScoreTable], weights: Sequence[float], mean: str) -> np.ndarray:
    """The weighted mean of aligned tables.

    Args:
      tables: aligned ones.
      weights: one a table, not negative, not all 0.
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
    """Weights as shares float64 `[count]` that sum to 1.

    Raises:
      ValueError: they are not as many, one is negative or not finite, or all are 0.
    """
    values = np.array(weights, np.float64)
    text = ",".join(f"{value:g}" for value in weights)
    if len(values) != count:
        raise ValueError(f"weights = {text}: {count} are needed, one for each of what is fused")
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"weights = {text}: each must be a number of at least 0")
    if not values.any():
        raise ValueError(f"weights = {text}: they are all 0; one at least must be more")
    return values / values.max() / (values / values.max()).sum()


def search(tables: Sequence[ScoreTable], labels: np.ndarray, mean: str) -> tuple[float, ...]:
    """The weights of the highest score, among all multiples of 0.1 that sum to 1.

    The score is top-1, or mean average precision where a video may have several labels. Of equally
    good ones, those nearest to equal weights are taken. Choose on videos that the result is not
    reported on.

    Args:
      tables: aligned ones, at most `MOST_SEARCHED`.
      labels: int `[N]`, of the classes, or bool `[N, C]`.
      mean: one of `MEANS`.

    Raises:
      ValueError: there are too many tables.
    """
    if len(tables) > MOST_SEARCHED:
        raise ValueError(
            f"weights of {len(tables)} are too many to search; {MOST_SEARCHED} at most"
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
            f"only one of {source} and {other} answers with several classes a video; "
            "their scores mean different things"
        )
    if a.split and b.split and a.split != b.split:
        raise ScoresError(
            f"{source} is of the split {a.split!r}, {other} of {b.split!r}; fuse one split"
        )


def _names(tables: Sequence[ScoreTable], sources: Sequence[str], common: bool) -> list[str]:
    sets = [{*table.names.tolist()} for table in tables]
    shared = set.intersection(*sets)
    for names, source in zip(sets, sources, strict=True):
        absent = sorted(set.union(*sets) - names)
        if absent and not common:
            raise ScoresError(
                f"{source} lacks {len(absent)} videos that others have, {absent[0]!r} among them; "
                "--common fuses the videos that all have"
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
    """The labels that any table knows."""
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
