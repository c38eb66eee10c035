"""Reads the results of the runs of a plan."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from vidjax import records
from vidjax.data import tables
from vidjax.evaluation.report import Prediction, read_scores

from ..runs.worker import read_record
from .plan import Run


class _Line(msgspec.Struct):
    """A line of metrics or timings."""

    step: records.Count
    split: str
    top1: records.Share = 0.0
    seconds: records.Amount = 0.0


@dataclass(frozen=True)
class Result:
    """The result of a run; numbers are NaN unless it is finished.

    Attributes:
      run: the run.
      state: `finished`, `failed`, `stopped`, or `not started`.
      error: error message of a failed run.
      top1: top-1 on the test videos, as a fraction.
      timed_top1: top-1 on test videos of classes that no single frame decides; NaN if there are
        none.
      train_top1: top-1 on the training videos, by the same protocol and without regularisers.
      train_accuracy: accuracy on the training clips of the last epoch during training: augmented,
        with regularisers, while the network learnt.
      seconds: wall time of the training, with compilation and test.
      cpu_seconds: CPU time of its process, over all cores.
      compile_seconds: the part of `seconds` for compiling the training step.
      correct: whether each test video is right.
      train_videos: number of training videos that were evaluated.
    """

    run: Run
    state: str
    error: str = ""
    top1: float = float("nan")
    timed_top1: float = float("nan")
    train_top1: float = float("nan")
    train_accuracy: float = float("nan")
    seconds: float = float("nan")
    cpu_seconds: float = float("nan")
    compile_seconds: float = float("nan")
    correct: Mapping[str, bool] = field(default_factory=dict)
    train_videos: int = 0

    @property
    def gap(self) -> float:
        """The gap as tested: top-1 on training videos minus top-1 on test videos, both as tests."""
        return self.train_top1 - self.top1

    @property
    def gap_as_trained(self) -> float:
        """The gap as trained: accuracy on training clips minus top-1 on test videos.

        This is the gap of the RMS paper: augmented clips and regularisers on one side only.
        """
        return self.train_accuracy - self.top1


def read_result(run: Run, timed: Collection[str] = ()) -> Result:
    """Reads the result of a run.

    Args:
      run: the run.
      timed: classes that no single frame decides.
    """
    record = read_record(run.record)
    state = record.get("state", "not started")
    if state != "finished":
        return Result(run, state, record.get("error", ""))
    config, step = run.config, record["step"]
    test = _report(run.workdir, config.eval.split, step)
    seen = _report(run.workdir, config.data.train_split, step)
    seen_scores = read_scores(seen)
    predictions = test.with_name(f"{test.stem}-predictions.csv")
    rows = [row for _, row in tables.read(predictions, Prediction, ours=True)]
    of_timed = [row.is_right for row in rows if row.label in timed]
    return Result(
        run,
        state,
        top1=read_scores(test).top1,
        timed_top1=sum(of_timed) / len(of_timed) if of_timed else float("nan"),
        train_top1=seen_scores.top1,
        train_accuracy=_of_last_epoch(
            _lines(run.workdir / "metrics.jsonl", "train"),
            max(1, seen_scores.videos // config.train.batch_size),
        ),
        seconds=record["seconds"],
        cpu_seconds=record["cpu_seconds"],
        compile_seconds=_lines(run.workdir / "timing.jsonl", "compile")[-1].seconds,
        correct={row.video: row.is_right for row in rows},
        train_videos=seen_scores.videos,
    )


def _report(workdir: Path, split: str, step: int) -> Path:
    (file,) = (workdir / "eval").glob(f"{split}-*-step{step}.json")
    return file


def _lines(file: Path, split: str) -> list[_Line]:
    """Reads the lines of a split, in order.

    Raises:
      RecordError: a line is damaged, or there are none.
    """
    lines = records.read_lines(file, "start the run again", _Line)
    found = [records.converted(line, _Line) for line in lines if line["split"] == split]
    if not found:
        raise records.RecordError(f"{file} has no line of {split!r}: start the run again")
    return found


def _of_last_epoch(lines: Sequence[_Line], steps: int) -> float:
    """Averages top-1 over the last steps; a line is the mean since the line before it."""
    begun = max(0, lines[-1].step - steps)
    total, before = 0.0, 0
    for line in lines:
        total += line.top1 * max(0, line.step - max(before, begun))
        before = line.step
    return total / (before - begun)
