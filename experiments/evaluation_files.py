"""Finds the files of evaluations in a run, by protocol and by step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vidjax.storage.paths import as_path
from vidjax.trained.scoring import REPORTS
from vidjax.trained.weights_name import WeightsName
from vidjax.untrusted_names import file_name

PREDICTIONS, SCORES = "-predictions.csv", "-scores.npz"
_MAKE = {PREDICTIONS: "vidjax evaluate makes one", SCORES: "vidjax evaluate --scores writes them"}
_WHAT = {PREDICTIONS: "evaluation", SCORES: "scores of all classes"}


def evaluated_in(text: str) -> Path:
    """Returns the folder that has the evaluations of a run or of weights."""
    is_weights = bool(WeightsName.parse(text).network)
    return folder_of(text) if is_weights else as_path(text)


def folder_of(text: str) -> Path:
    """Returns the default folder for results of weights, such as `runs/i3d-kinetics400`."""
    wanted = WeightsName.parse(text)
    parts = filter(
        None, (wanted.network, wanted.path.stem if wanted.path.exists() else wanted.place)
    )
    return Path("runs") / file_name("-".join(parts))


def by_protocol(run: Path, end: str) -> dict[str, list[Path]]:
    """Returns the files of a run's evaluations by protocol, oldest step first.

    Args:
      run: the run's directory.
      end: `PREDICTIONS` or `SCORES`.

    Raises:
      ValueError: there are none.
    """
    found: dict[str, list[tuple[int, Path]]] = {}
    for file in (run / REPORTS).glob(f"*{end}"):
        protocol, _, step = file.name[: -len(end)].rpartition("-step")
        if protocol and step.isdecimal():
            found.setdefault(protocol, []).append((int(step), file))
    if not found:
        where = f"{run}" if run.exists() else f"{run} does not exist, so it"
        raise ValueError(f"{where} has no {_WHAT[end]}; {_MAKE[end]}")
    return {name: [file for _, file in sorted(files)] for name, files in found.items()}


def newest(runs: Sequence[Path], end: str, wanted: str | None) -> list[Path]:
    """Returns the newest file of each run, for the one protocol that they share.

    Args:
      runs: their directories.
      end: `PREDICTIONS` or `SCORES`.
      wanted: the protocol, if they share several.

    Raises:
      ValueError: a run has no such files, or they share no protocol, or several.
    """
    found = [by_protocol(run, end) for run in runs]
    common = sorted(set.intersection(*(set(each) for each in found)))
    if wanted and common and wanted not in common:
        raise ValueError(f"--protocol={wanted}: the runs share {', '.join(common)}")
    if wanted:
        common = [name for name in common if name == wanted]
    if len(common) != 1:
        have = ", ".join(f"{run} has {sorted(each)}" for run, each in zip(runs, found, strict=True))
        how_many = "several" if common else "no"
        raise ValueError(f"the runs share {how_many} protocols: {have}; choose one with --protocol")
    return [each[common[0]][-1] for each in found]
