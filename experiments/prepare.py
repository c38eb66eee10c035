r"""Brings a data set into the form that training reads: each video's frames, seekable, once.

All cores decode. What is missing, broken, unsound or listed twice is left out by name; the counts
of each class are in report.csv beside the data, the names in excluded.csv. The same command goes on
where it was interrupted, and does nothing where all is done. Other files of the same names, or a
video that was replaced, are another data set; which files changed is said.

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

On a cluster each worker reads the videos and writes shards by itself: the two folders are URLs of a
bucket, or folders that all machines share. Workers need vidjax in the same version.

Exit codes: 0 done, 2 something given does not fit, 74 the machine failed (full disk, permission,
memory), 75 ended by SIGTERM, 130 by Ctrl-C. After 74, 75 and 130 the same command goes on.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from vidjax.data import catalog
from vidjax.data.multi_label_text import apart
from vidjax.data.optical_flow import METHODS, Flow
from vidjax.data.preparation_report import EXCLUDED, REPORT, Count, read_report, total
from vidjax.data.process_pool import MOST_WORKERS
from vidjax.progress import ProgressLine
from vidjax.storage.paths import as_path
from vidjax.terminal import say, table
from vidjax.training.preemption import EXIT_CODE

from . import command_line, option_flags

_FORM = catalog.Storage()
_NAME = flags.DEFINE_string("dataset", None, "which; a name that is unknown lists all")
_DESCRIBE = flags.DEFINE_bool("describe", False, "say where it is from and how its folder looks")
_MANUAL = flags.DEFINE_string("manual_dir", "", "folder with its videos and annotations")
_MANIFEST = flags.DEFINE_string("manifest", "", "folder or CSV, for --dataset=video_folder")
_ROOT = flags.DEFINE_string("root", "", "folder that the CSV's paths are relative to")
_DATA = flags.DEFINE_string("data_dir", "data", "where prepared data sets are kept")
_OPTION = flags.DEFINE_multi_string("option", [], "name=value of the data set, such as split=2")
_SHORT = flags.DEFINE_integer("short_side", _FORM.short_side, "of the stored frames", 1)
_FPS = flags.DEFINE_float("fps", _FORM.fps, "to store; each video's own if not given")
_QUALITY = flags.DEFINE_integer("quality", _FORM.quality, "of the JPEGs", 1, 100)
_INPUT = flags.DEFINE_enum("input", "frames", ("frames", "flow"), "to store: frames, or their flow")
_FLOW = flags.DEFINE_enum("flow_method", Flow.method, METHODS, "--input=flow: how it is computed")
_BOUND = flags.DEFINE_float("flow_bound", Flow.bound, "--input=flow: pixels it is cut off at")
_BUDGET = flags.DEFINE_float("bad_video_budget", _FORM.bad_video_budget, "share that may be broken")
_VERDICTS = flags.DEFINE_string("verdicts", "", "CSV of experiments.check_videos")
_LEAK = flags.DEFINE_bool("allow_group_leak", False, "accept one group in training and test")
_SEVERAL = flags.DEFINE_bool("multi_label", False, "a video may have several labels")
_WORKERS = flags.DEFINE_integer(
    "workers", None, "processes; one a core if not given", 1, MOST_WORKERS
)
_DASK = flags.DEFINE_string("dask", "", "HOST:PORT of a Dask scheduler, whose workers decode")
_RUNNER = flags.DEFINE_string("beam_runner", "", "of Apache Beam, which then decodes")
_BEAM = flags.DEFINE_multi_string("beam_option", [], "of that runner, as on its command line")
flags.mark_flag_as_required("dataset")


def main() -> int:
    """Prepares the data set and says what was found."""
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
        raise ValueError("--dask and --beam_runner name two clusters; give one of them")
    if _BEAM.value and not runner:
        raise ValueError("--beam_option has no effect without --beam_runner; name the runner")
    if _WORKERS.value and (runner or _DASK.value):
        raise ValueError("--workers is of this machine; on a cluster its workers decide")
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
    say(f"of each {what}: {folder / REPORT}; each video that is left out: {folder / EXCLUDED}")


def _classes(label: str) -> tuple[str, ...]:
    return apart(label) if _SEVERAL.value else (label,)


if __name__ == "__main__":
    command_line.run(main, __doc__, terminated=EXIT_CODE)
