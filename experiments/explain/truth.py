"""Whether maps tell the truth, on videos whose acting limbs are known, or by what is lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from absl import flags

from vidjax import records
from vidjax.data.class_mapping import read_class_mapping
from vidjax.explain.map_measurements import Measured
from vidjax.explain.map_metrics_curves import draw_curves
from vidjax.explain.map_metrics_report import draw_truth, truth_table
from vidjax.explain.map_metrics_tables import CostRow, CurveRow, PairRow, Summary, TruthRow
from vidjax.explain.map_selection import ChosenMap, choose
from vidjax.explain.sanity_plot import draw_sanity
from vidjax.explain.sanity_table import SanityRow
from vidjax.explain.tables import what_differs, write_rows
from vidjax.progress import ProgressLine
from vidjax.storage.paths import as_path
from vidjax.storage.writing import is_there, make_folder, write_text

from .explained_network import MAPS, Subject, subject_of_run
from .map_evaluation import Bench, Task
from .output_files import new_files, write_figure
from .remaining_time import Pace
from .resumable_results import Kept
from .sanity import compared, others_of

_VIDEOS = flags.DEFINE_integer("videos", None, "truth: so many test videos; all if not given", 1)
_STEPS = flags.DEFINE_integer("steps", 8, "truth: of deletion and insertion", lower_bound=1)
_SANITY = flags.DEFINE_integer(
    "sanity", 0, "truth: on so many videos, how maps change as the network becomes random", 0
)
_SHUFFLED = flags.DEFINE_string(
    "shuffled", None, "truth: a run of the same network on shuffled labels, for --sanity"
)
_MAPPING = flags.DEFINE_string(
    "mapping", None, "truth: CSV label,class: what labels of the videos are called in the network"
)
_WAY_OUT = "move the folder away, and the command measures anew"


class Settings(msgspec.Struct):
    """What results in a folder were measured with; those of other settings are not mixed in.

    Attributes:
      steps: of deletion and insertion.
      runs: what decides the measurements of a run, in words.
    """

    steps: records.Count
    runs: dict[str, str]


def read_settings(file: Path) -> Settings:
    """Reads `settings.json` of a folder of results.

    Raises:
      RecordError: it holds something else.
    """
    return records.read(file, Settings, _WAY_OUT)


def explain_truth(subjects: Sequence[Subject], output: Path, progress: ProgressLine) -> list[Path]:
    """Measures the maps of networks; what was measured before it was interrupted is kept."""
    names = ["truth.csv", "truth.md", "pairs.csv", "costs.csv", "curves.csv"]
    names += ["truth.png", "curves.png"]
    sane = ["sanity.csv", "sanity.png"] if _SANITY.value else []
    files = new_files(output, *names, *sane)
    if _SHUFFLED.value and not _SANITY.value:
        raise ValueError("--shuffled has no effect without --sanity, the number of videos")
    mapping = read_class_mapping(as_path(_MAPPING.value)) if _MAPPING.value else None
    chosen = choose(MAPS.value)
    benches = [Bench.open(own, _VIDEOS.value, progress.count, mapping) for own in subjects]
    networks = _networks(benches)
    drawn = {bench.name: _drawable(bench, chosen, progress) for bench in benches}
    shuffled = subject_of_run(_SHUFFLED.value) if _SHUFFLED.value else None
    others = others_of(benches, networks, shuffled) if sane else {}
    make_folder(output)
    _agree(output / "settings.json", benches)
    task = Task(benches, drawn, networks, {own.text: own.title for own in chosen})
    _write_truths(task, _measured(task, output, progress), files[: len(names)])
    if sane:
        _write_sanity(
            task, compared(task, others, _SANITY.value, output, progress), files[len(names) :]
        )
    return files


def _drawable(bench: Bench, chosen: Sequence[ChosenMap], progress: ProgressLine) -> list[ChosenMap]:
    """The maps that a network has what they need for.

    Raises:
      ValueError: one that it has not was named.
    """
    found = [own for own in chosen if bench.fits(own)]
    for own in chosen:
        if own not in found:
            if own.text in MAPS.value:
                raise ValueError(f"{own.text} cannot be drawn of {bench.name}: leave it out")
            progress.note(f"{own.text} is left out: {bench.name} has not what it needs")
    return found


def _networks(benches: Sequence[Bench]) -> dict[str, list[str]]:
    """Names of the runs of each network.

    A network is called by its kind; where two are of one kind, by their first runs.
    """
    kinds: dict[Any, list[Bench]] = {}
    for bench in benches:
        kinds.setdefault(bench.kind, []).append(bench)
    names = [own[0].network.config.model.name for own in kinds.values()]
    if len(set(names)) < len(names):
        names = what_differs([own[0].name for own in kinds.values()])
    runs = ([bench.name for bench in own] for own in kinds.values())
    return dict(zip(names, runs, strict=True))


def _agree(file: Path, benches: Sequence[Bench]) -> None:
    """Refuses to go on with results of other settings."""
    own = Settings(_STEPS.value, {bench.name: bench.about for bench in benches})
    if is_there(file):
        there = read_settings(file)
        both = [("--steps", str(there.steps), str(own.steps))]
        both += [(run, there.runs[run], own.runs[run]) for run in own.runs if run in there.runs]
        for name, before, now in both:
            if before != now:
                raise ValueError(
                    f"{file.parent} has results of other settings ({name}: {before}, and now "
                    f"{now}): name another --output, or move it away"
                )
        own = Settings(own.steps, {**there.runs, **own.runs})
    records.write(file, msgspec.to_builtins(own))


def _measured(task: Task, output: Path, progress: ProgressLine) -> Summary:
    """Measures what is not measured yet."""
    videos: dict[str, list[str]] = {name: [] for name in task.networks}
    of = {run: network for network, runs in task.networks.items() for run in runs}
    with Kept(output / "measured.jsonl", Measured, lambda o: (o.run, o.video, o.map)) as kept:
        _check_curves(kept, output)
        pace = Pace(sum(len(bench.numbers) for bench in task.benches), progress)
        for bench in task.benches:
            for film in bench.films():
                if film.name not in videos[of[bench.name]]:
                    videos[of[bench.name]].append(film.name)
                left = [
                    own
                    for own in task.drawn[bench.name]
                    if (bench.name, film.name, own.text) not in kept
                ]
                for own in left:
                    doing = pace.of(f"{bench.name}: {own.text}")
                    kept.add(bench.measure(own, film, _STEPS.value, doing))
                pace.done(bool(left))
        found = {(own.run, own.video, own.map): own for own in kept}
    _check_curves(found.values(), output)
    return Summary(task.networks, videos, list(task.titles), found)


def _check_curves(found: Iterable[Measured], output: Path) -> None:
    """Refuses curves of other steps, which somebody has put there."""
    for own in found:
        if {len(own.deletion), len(own.insertion)} != {_STEPS.value + 1}:
            raise records.RecordError(
                f"{output / 'measured.jsonl'} is damaged (a curve of {own.video} has not "
                f"{_STEPS.value + 1} points): {_WAY_OUT}"
            )


def _write_truths(task: Task, summary: Summary, files: Sequence[Path]) -> None:
    truths, costs, curves = [*summary.truths()], [*summary.costs()], [*summary.curves()]
    write_rows(files[0], TruthRow, truths)
    write_text(files[1], truth_table(truths, costs, task.titles))
    write_rows(files[2], PairRow, [*summary.pairs()])
    write_rows(files[3], CostRow, costs)
    write_rows(files[4], CurveRow, curves)
    write_figure(files[5], draw_truth(truths, task.titles))
    write_figure(files[6], draw_curves(curves, task.titles))


def _write_sanity(task: Task, rows: Sequence[SanityRow], files: Sequence[Path]) -> None:
    write_rows(files[0], SanityRow, rows)
    write_figure(files[1], draw_sanity(rows, task.titles))
