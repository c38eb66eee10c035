"""Fuses the scores of several runs or streams, such as RGB and flow, with weights.

Each argument is a run whose scores vidjax evaluate --scores has kept, or a file of scores, as
vidjax evaluate and vidjax predict write them. Videos and classes are matched by name. The output
gets the files of an evaluation, so that vidjax compare takes it as it takes a run. It is named
after the protocol of the first argument.

--search=SPLIT chooses the weights by top-1, or by mAP where a video may have several labels, on
another split than the one that is reported: the runs must have been evaluated with --scores on
both.

Examples:
  vidjax fuse runs/rgb runs/flow --weights=1,1.5 --output=runs/fused
  vidjax fuse runs/rgb runs/flow --search=val --protocol=test-10x3 --output=runs/fused
  vidjax fuse rgb.npz flow.npz --mean=geometric --common --output=runs/fused
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from vidjax.data.manifest import few
from vidjax.evaluation.fusion import MEANS, align, checked_weights, fuse, search
from vidjax.evaluation.paired_bootstrap import paired_bootstrap
from vidjax.evaluation.report import write_report
from vidjax.evaluation.score_files import ScoresError, ScoreTable, read_score_table, write_scores
from vidjax.evaluation.significance import mcnemar
from vidjax.evaluation.summary import score_of
from vidjax.evaluation.true_labels import true_labels
from vidjax.storage.paths import as_path
from vidjax.storage.writing import make_folder, refuse_there
from vidjax.terminal import say, table
from vidjax.trained.scoring import REPORTS

from . import command_line
from .compare_multi_label import in_words
from .evaluation_files import SCORES, by_protocol, evaluated_in, newest

_WEIGHTS = flags.DEFINE_list("weights", None, "one for each argument, such as 1,1.5; equal ones")
_MEAN = flags.DEFINE_enum("mean", "arithmetic", MEANS, "of the probabilities")
_COMMON = flags.DEFINE_bool("common", False, "fuse the videos that all have, and leave out others")
_PROTOCOL = flags.DEFINE_string("protocol", None, "such as test-10x3, where runs have several")
_SEARCH = flags.DEFINE_string("search", None, "split to choose the weights on, such as val")
_OUTPUT = flags.DEFINE_string("output", None, "folder for the report, predictions and scores")
flags.mark_flag_as_required("output")


@dataclasses.dataclass(frozen=True)
class Fusion:
    """What is fused, and how.

    Attributes:
      sources: what the arguments are called.
      tables: their scores, aligned.
      weights: of each.
      facts: how the weights were chosen, for the report.
    """

    sources: Sequence[str]
    tables: Sequence[ScoreTable]
    weights: Sequence[float]
    facts: dict[str, Any]


def main(*given: str) -> None:
    """Fuses, prints and writes."""
    output = as_path(_OUTPUT.value)
    refuse_there(output / REPORTS)
    if len(given) < 2:
        raise ValueError("say two runs or files at least: there is nothing to fuse in one")
    if len(set(given)) < len(given):
        raise ValueError(f"{' '.join(given)}: one is given twice; --weights gives one more weight")
    if _SEARCH.value and _WEIGHTS.value:
        raise ValueError("both --weights and --search: give the weights, or have them searched")
    files = _files(given)
    tables = [read_score_table(file) for file in files]
    aligned = align(tables, list(map(str, files)), common=_COMMON.value)
    _tell_left_out(tables, aligned, files)
    weights, facts = _weights(given, aligned)
    _write(Fusion(list(given), aligned, weights, facts), output)


def _files(given: Sequence[str]) -> list[Path]:
    """The files of scores that the arguments stand for."""
    runs = [text for text in given if not text.endswith(".npz")]
    found = newest(list(map(evaluated_in, runs)), SCORES, _PROTOCOL.value) if runs else []
    if _PROTOCOL.value and not runs:
        raise ValueError(f"--protocol={_PROTOCOL.value} is for runs; files have one each")
    of_runs = dict(zip(runs, found, strict=True))
    return [of_runs[text] if text in of_runs else as_path(text) for text in given]


def _tell_left_out(
    tables: Sequence[ScoreTable], aligned: Sequence[ScoreTable], files: Sequence[Path]
) -> None:
    kept = {*aligned[0].names.tolist()}
    for each, file in zip(tables, files, strict=True):
        left = sorted({*each.names.tolist()} - kept)
        if left:
            say(f"left out {len(left)} videos of {file} that others lack: {few(left)}")


def _weights(
    given: Sequence[str], tables: Sequence[ScoreTable]
) -> tuple[Sequence[float], dict[str, Any]]:
    """The weights, and how they came about."""
    if _SEARCH.value:
        return _searched(given, tables)
    try:
        weights = [float(text) for text in _WEIGHTS.value or ["1"] * len(given)]
    except ValueError:
        raise ValueError(f"--weights={','.join(_WEIGHTS.value)}: numbers are expected") from None
    checked_weights(weights, len(tables))
    return weights, {}


def _searched(
    given: Sequence[str], tables: Sequence[ScoreTable]
) -> tuple[Sequence[float], dict[str, Any]]:
    """Weights chosen on another split of the same runs."""
    split = _SEARCH.value
    if split == tables[0].split:
        raise ValueError(
            f"--search={split} is the split that is reported: weights chosen on it would make its "
            "score too good. Search on another one"
        )
    files = [_of_split(text, split) for text in given]
    chosen = align([read_score_table(file) for file in files], list(map(str, files)))
    if [*chosen[0].classes] != [*tables[0].classes]:
        raise ScoresError(f"{files[0]} has other classes than the scores that are reported")
    shared = {*chosen[0].names.tolist()} & {*tables[0].names.tolist()}
    # Videos without names are numbered in each split.
    both = sorted(name for name in shared if not name.isdecimal())
    if both:
        raise ScoresError(
            f"{len(both)} videos are in {split!r} and in what is reported, {both[0]!r} among them; "
            "search on other videos"
        )
    weights = search(chosen, true_labels(chosen[0]), _MEAN.value)
    return weights, {"searched": {"split": split, "files": list(map(str, files))}}


def _of_split(text: str, split: str) -> Path:
    """The newest scores of a run on a split."""
    if text.endswith(".npz"):
        raise ValueError(f"--search is for runs, which have scores of several splits: not {text}")
    run = evaluated_in(text)
    found = by_protocol(run, SCORES)
    named = [name for name in found if name.rpartition("-")[0] == split]
    if len(named) != 1:
        problem = f"scores by several protocols ({', '.join(named)})" if named else "no scores"
        raise ValueError(
            f"{run} has {problem} of the split {split!r}; make them by one protocol with vidjax "
            f"evaluate --scores --config.eval.split={split}"
        )
    return found[named[0]][-1]


def _write(fusion: Fusion, output: Path) -> None:
    """Writes the report of what is fused, or its scores alone where no label is known."""
    first = fusion.tables[0]
    scores = fuse(fusion.tables, fusion.weights, _MEAN.value)
    views = first.about.get("views") or {}
    name = f"{first.split or 'videos'}-{views.get('clips', 1)}x{views.get('crops', 1)}-step0"
    parts = [
        {"source": source, "weight": weight, "views": each.about.get("views")}
        for source, weight, each in zip(fusion.sources, fusion.weights, fusion.tables, strict=True)
    ]
    facts: dict[str, Any] = {"step": 0, "split": first.split, "views": views, "fused": parts}
    facts |= {"mean": _MEAN.value, "multi_label": first.multi_label, **fusion.facts}
    if not any(first.labels.tolist()):
        file = make_folder(output / REPORTS) / f"{name}{SCORES}"
        write_scores(
            file, dataclasses.replace(first, scores=scores.astype(np.float32), about=facts)
        )
        say("no label is known: there is no report, and the fused scores are in", f"  {file}")
        return
    labels = true_labels(first)
    _tell(fusion, scores, labels)
    for file in write_report(
        output / REPORTS,
        name,
        videos=first.names.tolist(),
        scores=scores,
        labels=labels,
        classes=first.classes.tolist(),
        facts=facts,
        keep_scores=True,
    ):
        say(f"  {file}")


def _tell(fusion: Fusion, scores: np.ndarray, labels: np.ndarray) -> None:
    """Says the score of each and of all, and whether the fusion differs from the best one."""
    several = labels.ndim > 1
    alone = [score_of(each.scores, labels) for each in fusion.tables]
    rows = [
        (source, f"{weight:g}", f"{score:.1%}")
        for source, weight, score in zip(fusion.sources, fusion.weights, alone, strict=True)
    ]
    together = f"{score_of(scores, labels):.1%}"
    columns = ("scores", "weight", "mAP" if several else "top-1")
    title = f"{len(labels)} videos, {_MEAN.value} mean"
    table(title, columns, [*rows, ("fused", "", together)], width=100)
    best = int(np.argmax(alone))
    if several:
        difference = paired_bootstrap(fusion.tables[best].scores, scores, labels)
        say(f"Against {fusion.sources[best]}, the best alone: {in_words(difference)}")
        return
    found = mcnemar(
        fusion.tables[best].scores.argmax(axis=1) == labels, scores.argmax(axis=1) == labels
    )
    say(
        f"Against {fusion.sources[best]}, the best alone: only it has {found.b} right, only the "
        f"fusion {found.c}; McNemar p = {found.p_value:.3g}"
    )


if __name__ == "__main__":
    command_line.answer(main, __doc__, arguments=("RUN_OR_FILE...",))
