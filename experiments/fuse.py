"""Fuses the scores of several runs or streams, such as RGB and optical flow.

Each argument is a run that was evaluated with `vidjax evaluate --scores`, or a file of scores that
`vidjax evaluate` or `vidjax predict` wrote. Videos and classes are matched by name. The output is
an evaluation, which `vidjax compare` takes like a run. It has the protocol of the first argument.

--search=SPLIT chooses the weights by top-1, or by mAP if videos have several labels. It chooses
them on another split than the one that is reported, so the runs must have been evaluated with
--scores on both.

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

_WEIGHTS = flags.DEFINE_list(
    "weights",
    None,
    "W,W,...: Weight of each argument, such as 1,1.5. By default all are equal.",
)
_MEAN = flags.DEFINE_enum("mean", "arithmetic", MEANS, "How the probabilities are averaged.")
_COMMON = flags.DEFINE_bool(
    "common", False, "Fuses the videos that all arguments have, and leaves out the others."
)
_PROTOCOL = flags.DEFINE_string(
    "protocol",
    None,
    "PROTOCOL: Protocol of the evaluations, such as test-10x3, if runs have several.",
)
_SEARCH = flags.DEFINE_string("search", None, "SPLIT: Split to choose the weights on, such as val.")
_OUTPUT = flags.DEFINE_string(
    "output", None, "FOLDER: New folder for the report, the predictions and the scores."
)
flags.mark_flag_as_required("output")


@dataclasses.dataclass(frozen=True)
class Fusion:
    """Scores to fuse.

    Attributes:
      sources: names of the arguments.
      tables: their scores, aligned.
      weights: their weights.
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
        raise ValueError("name two or more runs or files to fuse")
    if len(set(given)) < len(given):
        raise ValueError(
            f"{' '.join(given)}: one is given twice; use --weights to give it more weight"
        )
    if _SEARCH.value and _WEIGHTS.value:
        raise ValueError("--weights and --search exclude each other; leave one out")
    files = _files(given)
    tables = [read_score_table(file) for file in files]
    aligned = align(tables, list(map(str, files)), common=_COMMON.value)
    _tell_left_out(tables, aligned, files)
    weights, facts = _weights(given, aligned)
    _write(Fusion(list(given), aligned, weights, facts), output)


def _files(given: Sequence[str]) -> list[Path]:
    """Returns the file of scores of each argument."""
    runs = [text for text in given if not text.endswith(".npz")]
    found = newest(list(map(evaluated_in, runs)), SCORES, _PROTOCOL.value) if runs else []
    if _PROTOCOL.value and not runs:
        raise ValueError(f"--protocol={_PROTOCOL.value} is for runs; a file has one protocol")
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
    """Returns the weights, and how they were chosen."""
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
    """Chooses the weights on another split of the same runs."""
    split = _SEARCH.value
    if split == tables[0].split:
        raise ValueError(
            f"--search={split} is the split that is reported: weights chosen on it would make the "
            "score too good. Choose another split"
        )
    files = [_of_split(text, split) for text in given]
    chosen = align([read_score_table(file) for file in files], list(map(str, files)))
    if [*chosen[0].classes] != [*tables[0].classes]:
        raise ScoresError(f"{files[0]} has other classes than the scores that are reported")
    shared = {*chosen[0].names.tolist()} & {*tables[0].names.tolist()}
    # Videos without names have numbers, which repeat in each split.
    both = sorted(name for name in shared if not name.isdecimal())
    if both:
        raise ScoresError(
            f"{len(both)} videos of {split!r} are also reported, such as {both[0]!r}; choose the "
            "weights on other videos"
        )
    weights = search(chosen, true_labels(chosen[0]), _MEAN.value)
    return weights, {"searched": {"split": split, "files": list(map(str, files))}}


def _of_split(text: str, split: str) -> Path:
    """Returns the newest scores of a run on a split."""
    if text.endswith(".npz"):
        raise ValueError(
            f"--search needs runs, which have scores of several splits; {text} is a file"
        )
    run = evaluated_in(text)
    found = by_protocol(run, SCORES)
    named = [name for name in found if name.rpartition("-")[0] == split]
    if len(named) != 1:
        problem = f"scores by several protocols ({', '.join(named)})" if named else "no scores"
        raise ValueError(
            f"{run} has {problem} of the split {split!r}; evaluate it by one protocol: vidjax "
            f"evaluate --scores --config.eval.split={split}"
        )
    return found[named[0]][-1]


def _write(fusion: Fusion, output: Path) -> None:
    """Writes the report of the fusion, or its scores alone if no label is known."""
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
        say("no label is known, so there is no report; the fused scores are in", f"  {file}")
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
    """Prints all scores, and whether the fusion differs from the best single one."""
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
        say(f"Compared with {fusion.sources[best]}, the best single one: {in_words(difference)}")
        return
    found = mcnemar(
        fusion.tables[best].scores.argmax(axis=1) == labels, scores.argmax(axis=1) == labels
    )
    say(
        f"Compared with {fusion.sources[best]}, the best single one: {found.b} videos only it has "
        f"right, {found.c} only the fusion; McNemar p = {found.p_value:.3g}"
    )


if __name__ == "__main__":
    command_line.answer(main, __doc__, arguments=("RUN_OR_FILE...",))
