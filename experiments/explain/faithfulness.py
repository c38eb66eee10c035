"""Measures how faithful maps are: by the limbs that act, and by deletion and insertion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from absl import flags

from vidjax import records
from vidjax.data.class_mapping import read_class_mapping
from vidjax.explain.map_measurements import Measured
from vidjax.explain.map_metrics_curves import draw_curves
from vidjax.explain.map_metrics_report import draw_metrics, metric_table
from vidjax.explain.map_metrics_tables import CostRow, CurveRow, MetricRow, PairRow, Summary
from vidjax.explain.map_selection import ChosenMap, choose
from vidjax.explain.sanity_plot import draw_sanity
from vidjax.explain.sanity_table import SanityRow
from vidjax.explain.tables import write_table
from vidjax.progress import ProgressLine
from vidjax.storage.paths import as_path
from vidjax.storage.writing import is_there, make_folder, write_text

from .. import help_text
from . import seeds
from .explained_network import MAPS, Subject, subject_of_run
from .map_evaluation import MapEvaluation, Task
from .output_files import new_files, write_figure
from .remaining_time import RemainingTime
from .resumable_results import ResumableResults
from .sanity import compared, others_of

_VIDEOS = flags.DEFINE_integer("videos", None, "Number of test videos. By default all.", 1)
_STEPS = flags.DEFINE_integer("steps", 8, "Steps of deletion and insertion.", lower_bound=1)
_SANITY = flags.DEFINE_integer(
    "sanity", 0, "Number of videos for sanity checks, in which the weights become random.", 0
)
_SHUFFLED = flags.DEFINE_string(
    "shuffled", None, "RUN: Run of the same network on shuffled labels, for --sanity."
)
_LABEL_MAP = flags.DEFINE_string(
    "label_map",
    None,
    "FILE: CSV with the columns `label` and `class`: the network's class for each label of the "
    "videos.",
)
help_text.group("Faithfulness", _VIDEOS, _STEPS, _SANITY, _SHUFFLED, _LABEL_MAP)
_WAY_OUT = "move the folder away, and the command measures again"


class Settings(msgspec.Struct):
    """The settings that the results in a folder share; results of other settings are refused.

    Attributes:
      steps: steps of deletion and insertion.
      runs: for each run, the facts that its results depend on.
    """

    steps: records.Count
    runs: dict[str, str]


def read_settings(file: Path) -> Settings:
    """Reads `settings.json` of a folder of results.

    Raises:
      RecordError: the file has other contents.
    """
    return records.read(file, Settings, _WAY_OUT)


def explain_faithfulness(
    subjects: Sequence[Subject], output: Path, progress: ProgressLine
) -> list[Path]:
    """Measures the maps of networks; results of an interrupted command are kept."""
    names = ["faithfulness.csv", "faithfulness.md", "pairs.csv", "costs.csv", "curves.csv"]
    names += ["faithfulness.png", "curves.png"]
    sane = ["sanity.csv", "sanity.png"] if _SANITY.value else []
    files = new_files(output, *names, *sane)
    if _SHUFFLED.value and not _SANITY.value:
        raise ValueError("--shuffled has no effect without --sanity, the number of videos to check")
    mapping = read_class_mapping(as_path(_LABEL_MAP.value)) if _LABEL_MAP.value else None
    chosen = choose(MAPS.value)
    evaluations = [
        MapEvaluation.open(own, _VIDEOS.value, progress.count, mapping) for own in subjects
    ]
    members = {own.name: seeds.Member(own.network.config, own.numbers) for own in evaluations}
    networks = seeds.networks(members)
    drawn = {evaluation.name: _drawable(evaluation, chosen, progress) for evaluation in evaluations}
    shuffled = subject_of_run(_SHUFFLED.value) if _SHUFFLED.value else None
    others = others_of(evaluations, networks, shuffled) if sane else {}
    make_folder(output)
    _agree(output / "settings.json", evaluations)
    task = Task(evaluations, drawn, networks, {own.text: own.title for own in chosen})
    _write_metrics(task, _measured(task, output, progress), files[: len(names)])
    if sane:
        _write_sanity(
            task, compared(task, others, _SANITY.value, output, progress), files[len(names) :]
        )
    return files


def _drawable(
    evaluation: MapEvaluation, chosen: Sequence[ChosenMap], progress: ProgressLine
) -> list[ChosenMap]:
    """Returns the maps that can be computed for a network.

    Raises:
      ValueError: a map that was named cannot.
    """
    found = [own for own in chosen if evaluation.fits(own)]
    for own in chosen:
        if own not in found:
            if own.text in MAPS.value:
                raise ValueError(
                    f"{own.text} cannot be computed for {evaluation.name}; leave it out"
                )
            progress.note(f"left out {own.text}, which cannot be computed for {evaluation.name}")
    return found


def _agree(file: Path, evaluations: Sequence[MapEvaluation]) -> None:
    """Refuses to continue with results of other settings."""
    own = Settings(_STEPS.value, {evaluation.name: evaluation.about for evaluation in evaluations})
    if is_there(file):
        there = read_settings(file)
        both = [("--steps", str(there.steps), str(own.steps))]
        both += [(run, there.runs[run], own.runs[run]) for run in own.runs if run in there.runs]
        for name, before, now in both:
            if before != now:
                raise ValueError(
                    f"{file.parent} has results of other settings ({name}: {before} there, {now} "
                    "here): name another --output, or move it away"
                )
        own = Settings(own.steps, {**there.runs, **own.runs})
    records.write(file, msgspec.to_builtins(own))


def _measured(task: Task, output: Path, progress: ProgressLine) -> Summary:
    """Measures all maps that were not measured before."""
    videos: dict[str, list[str]] = {name: [] for name in task.networks}
    of = {run: network for network, runs in task.networks.items() for run in runs}
    with ResumableResults(
        output / "measured.jsonl", Measured, lambda o: (o.run, o.video, o.map)
    ) as kept:
        _check_curves(kept, output)
        remaining = RemainingTime(
            sum(len(evaluation.numbers) for evaluation in task.evaluations), progress
        )
        for evaluation in task.evaluations:
            for video_clip in evaluation.clips():
                if video_clip.name not in videos[of[evaluation.name]]:
                    videos[of[evaluation.name]].append(video_clip.name)
                left = [
                    own
                    for own in task.drawn[evaluation.name]
                    if (evaluation.name, video_clip.name, own.text) not in kept
                ]
                for own in left:
                    doing = remaining.of(f"{evaluation.name}: {own.text}")
                    kept.add(evaluation.measure(own, video_clip, _STEPS.value, doing))
                remaining.done(bool(left))
        found = {(own.run, own.video, own.map): own for own in kept}
    _check_curves(found.values(), output)
    return Summary(task.networks, videos, list(task.titles), found)


def _check_curves(found: Iterable[Measured], output: Path) -> None:
    """Refuses curves with another number of steps, which cannot be from this command."""
    for own in found:
        if {len(own.deletion), len(own.insertion)} != {_STEPS.value + 1}:
            raise records.RecordError(
                f"{output / 'measured.jsonl'} is damaged (a curve of {own.video} does not have "
                f"{_STEPS.value + 1} points): {_WAY_OUT}"
            )


def _write_metrics(task: Task, summary: Summary, files: Sequence[Path]) -> None:
    metrics, costs, curves = [*summary.metrics()], [*summary.costs()], [*summary.curves()]
    write_table(files[0], MetricRow, metrics)
    write_text(files[1], metric_table(metrics, costs, task.titles))
    write_table(files[2], PairRow, [*summary.pairs()])
    write_table(files[3], CostRow, costs)
    write_table(files[4], CurveRow, curves)
    write_figure(files[5], draw_metrics(metrics, task.titles))
    write_figure(files[6], draw_curves(curves, task.titles))


def _write_sanity(task: Task, rows: Sequence[SanityRow], files: Sequence[Path]) -> None:
    write_table(files[0], SanityRow, rows)
    write_figure(files[1], draw_sanity(rows, task.titles))
