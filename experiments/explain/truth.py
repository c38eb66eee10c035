"""Whether maps tell the truth, on videos whose acting limbs are known, or by what is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from absl import flags

from vidjax import records
from vidjax.data.class_mapping import read_class_mapping
from vidjax.explain.chosen_maps import ChosenMap, choose
from vidjax.explain.rows import what_differs, write_rows
from vidjax.explain.sanity import cascade, parts_of, rank_correlation, similarity
from vidjax.explain.sanity_rows import SanityRow, sanity_rows
from vidjax.explain.truth_measured import (
    Compared,
    CostRow,
    CurveRow,
    Measured,
    Summary,
    TruthRow,
)
from vidjax.explain.truth_report import draw_curves, draw_sanity, draw_truth, truth_table
from vidjax.progress import ProgressLine, duration
from vidjax.storage.paths import as_path
from vidjax.storage.writing import is_there, make_folder, write_text

from .bench import Bench, Filmed
from .files import new_files, write_figure
from .kept import Kept
from .settings import Subject, subject_of_run

_VIDEOS = flags.DEFINE_integer("videos", None, "truth: so many test videos; all if not given", 1)
_STEPS = flags.DEFINE_integer("steps", 8, "truth: of deletion and insertion", lower_bound=1)
_MAPS = flags.DEFINE_list(
    "maps", [], "truth: which maps, such as cam,rise:masks=300,saliency_tube:tau=0.5; all if empty"
)
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


class _Settings(msgspec.Struct):
    """What results in a folder were measured with; those of other settings are not mixed in."""

    steps: records.Count
    runs: dict[str, str]


def explain_truth(subjects: Sequence[Subject], output: Path, progress: ProgressLine) -> list[Path]:
    """Measures the maps of networks; what was measured before it was interrupted is kept."""
    names = ["truth.csv", "truth.md", "costs.csv", "curves.csv", "truth.png", "curves.png"]
    sane = ["sanity.csv", "sanity.png"] if _SANITY.value else []
    files = new_files(output, *names, *sane)
    if _SHUFFLED.value and not _SANITY.value:
        raise ValueError("--shuffled has no effect without --sanity, the number of videos")
    mapping = read_class_mapping(as_path(_MAPPING.value)) if _MAPPING.value else None
    chosen = choose(_MAPS.value)
    benches = [Bench.open(own, _VIDEOS.value, progress.count, mapping) for own in subjects]
    drawn = {bench.name: _drawable(bench, chosen, progress) for bench in benches}
    shuffled = _of_shuffled(benches)
    make_folder(output)
    _agree(output / "settings.json", benches)
    task = _Task(benches, drawn, _networks(benches), {own.text: own.title for own in chosen})
    _write_truths(task, _measured(task, output, progress), files[: len(names)])
    if sane:
        _write_sanity(task, _compared(task, shuffled, output, progress), files[len(names) :])
    return files


@dataclass(frozen=True)
class _Task:
    """What is measured.

    Attributes:
      benches: the trained networks.
      drawn: maps that can be drawn of each.
      networks: names of the runs of each network, which differ in their seed.
      titles: how maps are written.
    """

    benches: Sequence[Bench]
    drawn: Mapping[str, Sequence[ChosenMap]]
    networks: Mapping[str, Sequence[str]]
    titles: Mapping[str, str]


def _drawable(bench: Bench, chosen: Sequence[ChosenMap], progress: ProgressLine) -> list[ChosenMap]:
    """The maps that a network has what they need for.

    Raises:
      ValueError: one that it has not was named.
    """
    found = [own for own in chosen if bench.fits(own)]
    for own in chosen:
        if own not in found:
            if _MAPS.value:
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


def _of_shuffled(benches: Sequence[Bench]) -> Mapping[str, Any]:
    """Variables of the run on shuffled labels, by the name of each run of that network."""
    if not _SHUFFLED.value:
        return {}
    subject = subject_of_run(_SHUFFLED.value)
    model = subject.config.model
    same = [
        bench.name
        for bench in benches
        if (bench.network.config.model.name, bench.network.config.model.options)
        == (model.name, model.options)
        and len(bench.network.classes) == subject.trained.num_classes
    ]
    if not same:
        raise ValueError(f"--shuffled={_SHUFFLED.value}: none of the runs is of that network")
    return dict.fromkeys(same, subject.trained.variables)


def _agree(file: Path, benches: Sequence[Bench]) -> None:
    """Refuses to go on with results of other settings."""
    own = _Settings(_STEPS.value, {bench.name: bench.about for bench in benches})
    if is_there(file):
        there = records.read(file, _Settings, _WAY_OUT)
        both = [("--steps", str(there.steps), str(own.steps))]
        both += [(run, there.runs[run], own.runs[run]) for run in own.runs if run in there.runs]
        for name, before, now in both:
            if before != now:
                raise ValueError(
                    f"{file.parent} has results of other settings ({name}: {before}, and now "
                    f"{now}): name another --output, or move it away"
                )
        own = _Settings(own.steps, {**there.runs, **own.runs})
    records.write(file, msgspec.to_builtins(own))


def _measured(task: _Task, output: Path, progress: ProgressLine) -> Summary:
    """Measures what is not measured yet."""
    videos: dict[str, list[str]] = {name: [] for name in task.networks}
    of = {run: network for network, runs in task.networks.items() for run in runs}
    with Kept(output / "measured.jsonl", Measured, lambda o: (o.run, o.video, o.map)) as kept:
        clock = _Clock(sum(len(bench.numbers) for bench in task.benches), progress)
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
                    doing = clock.of(f"{bench.name}: {own.text}")
                    kept.add(bench.measure(own, film, _STEPS.value, doing))
                clock.done(bool(left))
        found = {(own.run, own.video, own.map): own for own in kept}
    return Summary(task.networks, videos, list(task.titles), found)


def _compared(
    task: _Task, shuffled: Mapping[str, Any], output: Path, progress: ProgressLine
) -> list[SanityRow]:
    """Compares maps of trained networks with those of networks that know less."""
    key = lambda own: (own.run, own.video, own.map, own.other)  # noqa: E731
    wanted: dict[tuple[str, ...], None] = {}
    with Kept(output / "compared.jsonl", Compared, key) as kept:
        films = {bench.name: _few(list(bench.films())) for bench in task.benches}
        clock = _Clock(sum(map(len, films.values())), progress)
        for bench in task.benches:
            others = list(_others(task, bench, shuffled))
            for film in films[bench.name]:
                worked = False
                # A map of no network does not change with it.
                for own in (one for one in task.drawn[bench.name] if not one.is_baseline):
                    keys = [(bench.name, film.name, own.text, other) for other, _ in others]
                    wanted |= dict.fromkeys(keys)
                    if any(one not in kept for one in keys):
                        worked = True
                        _compare(bench, own, film, others, kept, clock)
                clock.done(worked)
        found = [own for own in kept if key(own) in wanted]
    return sanity_rows(task.networks, list(task.titles), found)


def _few(films: Sequence[Filmed]) -> list[Filmed]:
    """So many as `--sanity` says, spread evenly."""
    count = min(len(films), _SANITY.value)
    return [films[place * len(films) // count] for place in range(count)]


def _others(task: _Task, bench: Bench, shuffled: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a network's maps are compared with, and variables of it."""
    parts = parts_of(bench.traced, bench.variables["params"])
    yield from cascade(bench.variables, bench.fresh(), parts)
    if bench.name in shuffled:
        yield "shuffled labels", shuffled[bench.name]
    (runs,) = (own for own in task.networks.values() if bench.name in own)
    if len(runs) > 1:
        other = runs[(list(runs).index(bench.name) + 1) % len(runs)]
        (found,) = (own for own in task.benches if own.name == other)
        yield "another seed", found.variables


def _compare(
    bench: Bench,
    chosen: ChosenMap,
    film: Filmed,
    others: Sequence[tuple[str, Any]],
    kept: Kept[Compared],
    clock: _Clock,
) -> None:
    """Compares a map of a clip with those of all other networks."""
    doing = clock.of(f"{bench.name}: sanity of {chosen.text}")
    own = bench.draw(chosen, film, doing).volume
    for place, (other, variables) in enumerate(others):
        volume = bench.draw(chosen, film, doing, variables).volume
        names = (bench.name, film.name, chosen.text)
        kept.add(
            Compared(
                *names,
                place,
                other,
                round(rank_correlation(own, volume), 6),
                round(similarity(own, volume), 6),
            )
        )


class _Clock:
    """Says what is done, and how long the rest takes at the pace so far."""

    def __init__(self, total: int, progress: ProgressLine) -> None:
        self._total, self._progress = total, progress
        self._past = self._worked = 0
        self._begun = time.monotonic()

    def of(self, what: str) -> Any:
        """A `Progress` of one map."""

        def show(done: int, total: int) -> None:
            self._progress.show(f"{self._video} {what} {done}/{total}{self._left}")

        self._progress.show(f"{self._video} {what}{self._left}")
        return show

    def done(self, worked: bool) -> None:
        """One video more; `worked` where it was not measured before."""
        self._past, self._worked = self._past + 1, self._worked + worked
        if worked and self._past == self._total:
            self._progress.show(f"{self._past}/{self._total}", final=True)

    @property
    def _video(self) -> str:
        return f"{self._past + 1}/{self._total}"

    @property
    def _left(self) -> str:
        if not self._worked:
            return ""
        pace = (time.monotonic() - self._begun) / self._worked
        return f", about {duration(pace * (self._total - self._past))} left"


def _write_truths(task: _Task, summary: Summary, files: Sequence[Path]) -> None:
    truths, costs, curves = [*summary.truths()], [*summary.costs()], [*summary.curves()]
    write_rows(files[0], TruthRow, truths)
    write_text(files[1], truth_table(truths, costs, task.titles))
    write_rows(files[2], CostRow, costs)
    write_rows(files[3], CurveRow, curves)
    write_figure(files[4], draw_truth(truths, task.titles))
    write_figure(files[5], draw_curves(curves, task.titles))


def _write_sanity(task: _Task, rows: Sequence[SanityRow], files: Sequence[Path]) -> None:
    write_rows(files[0], SanityRow, rows)
    write_figure(files[1], draw_sanity(rows, task.titles))
