"""What the runs of a plan came to, read from their directories."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.reproduce.attempt import read_record
from experiments.reproduce.plan import Run
from vidjax.data import tables


@dataclass(frozen=True)
class Result:
    """How a run ended; numbers are NaN unless it is finished.

    Attributes:
      run: the run.
      state: `finished`, `failed`, `stopped`, or `not started`.
      error: what a failed run said.
      top1: fraction of the test videos that it has right.
      timed_top1: of those whose class no single frame decides; NaN if there are none.
      train_top1: of the training videos, by the same protocol, regularisers off.
      train_accuracy: of the last training clips, as the network saw them in training.
      seconds: wall time of the training, what it compiled and its test included.
      cpu_seconds: of its process, over all cores.
      compile_seconds: of `seconds`, for the training step.
      correct: for each test video whether it is right.
      train_videos: number of training videos scored.
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
        """How much better it is on the videos it was trained on."""
        return self.train_top1 - self.top1


def read_result(run: Run, timed: Collection[str] = ()) -> Result:
    """How a run ended.

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
    seen_scores = json.loads(seen.read_text())
    rows = _predictions(test.with_name(f"{test.stem}-predictions.csv"))
    of_timed = [row["correct"] == "1" for row in rows if row["label"] in timed]
    return Result(
        run,
        state,
        top1=json.loads(test.read_text())["top1"],
        timed_top1=sum(of_timed) / len(of_timed) if of_timed else float("nan"),
        train_top1=seen_scores["top1"],
        train_accuracy=_last(run.workdir / "metrics.jsonl", "train")["top1"],
        seconds=record["seconds"],
        cpu_seconds=record["cpu_seconds"],
        compile_seconds=_last(run.workdir / "timing.jsonl", "compile")["seconds"],
        correct={row["video"]: row["correct"] == "1" for row in rows},
        train_videos=seen_scores["videos"],
    )


def _report(workdir: Path, split: str, step: int) -> Path:
    (file,) = (workdir / "eval").glob(f"{split}-*-step{step}.json")
    return file


def _last(file: Path, split: str) -> dict[str, Any]:
    """The last line of a split."""
    lines = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    last: dict[str, Any] = [line for line in lines if line["split"] == split][-1]
    return last


def _predictions(file: Path) -> list[dict[str, str]]:
    rows = tables.rows(file, ("video", "label", "correct"), ours=True)
    return [row for _, row in rows]
