r"""Prepares a data set for training: decodes each video once and stores its frames, seekable.

All cores decode. Videos that are missing, broken, unsound or listed twice are left out:
excluded.csv beside the data names them, and report.csv has the counts of each class. The same
command continues where it was interrupted, and does nothing if all is done. If a video or an
annotation file has changed, the command says which, and prepares the changed data set in a folder
of its own.

Examples:
  vidjax prepare --dataset=ucf101 --describe
  vidjax prepare --dataset=ucf101 --manual_dir=videos/ucf101 --data_dir=data \
      --option=split=2
  vidjax prepare --dataset=kinetics400 --manual_dir=videos/k400 --data_dir=data \
      --short_side=320 --verdicts=verdicts.csv
  vidjax prepare --dataset=ucf101 --manual_dir=videos/ucf101 --data_dir=data --input=flow
  vidjax prepare --dataset=kinetics400 --manual_dir=gs://mine/k400 --data_dir=gs://mine/data \
      --dask=10.0.0.1:8786
  vidjax prepare --dataset=kinetics400 --manual_dir=gs://mine/k400 --data_dir=gs://mine/data \
      --beam_runner=FlinkRunner --beam_option=--flink_master=host:8081

On a cluster each worker reads the videos and writes shards itself. So both folders are URLs of a
bucket, or folders that all machines share. Workers need the same version of vidjax.

Exit codes:
  0    done
  2    a flag is wrong, or the data set does not fit
  74   the machine failed: full disk, missing permission, too little memory
  75   SIGTERM
  130  Ctrl-C
After 74, 75 and 130 the same command continues.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from vidjax.data import catalog
from vidjax.data.multi_label_text import split_labels
from vidjax.data.optical_flow import METHODS, Flow
from vidjax.data.preparation_report import EXCLUDED, REPORT, Count, read_report, total
from vidjax.data.process_pool import MOST_WORKERS
from vidjax.progress import ProgressLine
from vidjax.storage.paths import as_path
from vidjax.terminal import say, table
from vidjax.training.preemption import EXIT_CODE

from . import command_line, help_text, option_flags

_FORM = catalog.Storage()
_NAME = flags.DEFINE_string(
    "dataset", None, "NAME: Name of the data set. A wrong name lists all of them."
)
_DESCRIBE = flags.DEFINE_bool(
    "describe", False, "Prints where to get the data set and what its folder must contain."
)
_MANUAL = flags.DEFINE_string(
    "manual_dir", "", "FOLDER: Folder with the videos and annotations, as published."
)
_MANIFEST = flags.DEFINE_string(
    "manifest", "", "PATH: Folder or CSV of videos, for --dataset=video_folder."
)
_ROOT = flags.DEFINE_string(
    "root",
    "",
    "FOLDER: Folder that the paths in the CSV are relative to. By default the CSV's own.",
)
_DATA = flags.DEFINE_string("data_dir", "data", "FOLDER: Folder for prepared data sets.")
_OPTION = flags.DEFINE_multi_string(
    "option", [], "NAME=VALUE: Option of the data set, such as split=2; --describe lists them."
)
_SHORT = flags.DEFINE_integer(
    "short_side", _FORM.short_side, "PIXELS: Short side of the stored frames.", 1
)
_FPS = flags.DEFINE_float(
    "fps", _FORM.fps, "Frame rate of the stored frames. By default each video keeps its own."
)
_QUALITY = flags.DEFINE_integer("quality", _FORM.quality, "JPEG quality of the frames.", 1, 100)
_INPUT = flags.DEFINE_enum(
    "input",
    "frames",
    ("frames", "flow"),
    "Stores the frames, or the optical flow between them.",
)
_FLOW = flags.DEFINE_enum("flow_method", Flow.method, METHODS, "Algorithm for --input=flow.")
_BOUND = flags.DEFINE_float(
    "flow_bound",
    Flow.bound,
    "PIXELS: Largest flow that --input=flow stores; larger flow is clipped.",
)
_BUDGET = flags.DEFINE_float(
    "bad_video_budget",
    _FORM.bad_video_budget,
    "SHARE: Share of the videos that may be unreadable before the command fails.",
)
_VERDICTS = flags.DEFINE_string(
    "verdicts", "", "FILE: CSV that `vidjax check_videos` wrote; unsound videos are left out."
)
_LEAK = flags.DEFINE_bool(
    "allow_group_leak",
    False,
    "Accepts videos of one group (person, source) in training and in test.",
)
_SEVERAL = flags.DEFINE_bool("multi_label", False, "Videos may have several labels.")
_WORKERS = flags.DEFINE_integer(
    "workers", None, "Number of processes that decode. By default one per core.", 1, MOST_WORKERS
)
_DASK = flags.DEFINE_string(
    "dask", "", "HOST:PORT: Scheduler of a Dask cluster, whose workers decode the videos."
)
_RUNNER = flags.DEFINE_string(
    "beam_runner", "", "NAME: Runner of Apache Beam, such as FlinkRunner, which decodes the videos."
)
_BEAM = flags.DEFINE_multi_string(
    "beam_option", [], "OPTION: Option of the Beam runner, as on its own command line."
)
help_text.group("Data set", _NAME, _DESCRIBE, _OPTION)
help_text.group("Folders and files", _MANUAL, _MANIFEST, _ROOT, _DATA, _VERDICTS)
help_text.group("Stored frames", _SHORT, _FPS, _QUALITY, _INPUT, _FLOW, _BOUND)
help_text.group("Checks", _BUDGET, _LEAK, _SEVERAL)
help_text.group("Computing", _WORKERS, _DASK, _RUNNER, _BEAM)
flags.mark_flag_as_required("dataset")


def main() -> int:
    """Prepares the data set and prints the counts."""
    if _DESCRIBE.value:
        say(*catalog.describe(_NAME.value).splitlines())
        return 0
    with ProgressLine() as progress:
        folder = catalog.prepare(_NAME.value, _request(progress))
    if (folder / REPORT).is_file():
        _print(read_report(folder), folder)
    say(folder)
    return 0


def _request(progress: ProgressLine) -> catalog.Request:
    runner = _RUNNER.value
    if runner and _DASK.value:
        raise ValueError("--dask and --beam_runner name two clusters; leave one out")
    if _BEAM.value and not runner:
        raise ValueError("--beam_option has no effect without --beam_runner; name the runner")
    if _WORKERS.value and (runner or _DASK.value):
        raise ValueError("--workers is for this machine; leave it out with --dask or --beam_runner")
    return catalog.Request(
        data_dir=as_path(_DATA.value),
        storage=catalog.Storage(_SHORT.value, _FPS.value, _QUALITY.value, _BUDGET.value, _flow()),
        manifest=_MANIFEST.value,
        root=_ROOT.value,
        manual_dir=_MANUAL.value,
        verdicts=_VERDICTS.value,
        allow_group_leak=_LEAK.value,
        workers=_WORKERS.value or os.cpu_count() or 1,
        dask=_DASK.value,
        beam=catalog.Beam(runner, tuple(_BEAM.value)) if runner else None,
        options=option_flags.parsed(_OPTION.value, "split=2"),
        multi_label=_SEVERAL.value,
        progress=progress.count,
        note=progress.note,
    )


def _flow() -> Flow | None:
    if _INPUT.value == "flow":
        return Flow(_FLOW.value, _BOUND.value)
    for flag in (_FLOW, _BOUND):
        if flag.present:
            raise ValueError(f"--{flag.name} has no effect without --input=flow; leave it out")
    return None


def _print(counts: Sequence[Count], folder: Path) -> None:
    rows, listed = [], [(one.split, name) for one in counts for name in _classes(one.label)]
    there = {(one.split, name) for one in counts if one.prepared for name in _classes(one.label)}
    for each in total(counts):
        classes = sum(split == each.split for split, _ in there)
        numbers = (each.listed, each.missing, each.excluded, each.broken, each.prepared)
        rows.append((each.split, classes, *numbers))
    columns = ("split", "classes", "listed", "missing", "left out", "broken", "prepared")
    table(None, columns, rows)
    lacking = [pair for pair in dict.fromkeys(listed) if pair not in there]
    empty = [f"{name} ({split})" for split, name in lacking]
    if empty:
        more = f" and {len(empty) - 10} more" if len(empty) > 10 else ""
        say(f"classes without a video: {', '.join(empty[:10])}{more}")
    what = "set of labels" if _SEVERAL.value else "class"
    say(f"counts of each {what}: {folder / REPORT}; videos left out: {folder / EXCLUDED}")


def _classes(label: str) -> tuple[str, ...]:
    return split_labels(label) if _SEVERAL.value else (label,)


if __name__ == "__main__":
    command_line.run(main, __doc__, terminated=EXIT_CODE)
