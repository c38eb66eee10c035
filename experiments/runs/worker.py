"""The worker process of one run: trains, evaluates, and records how the run ended.

The scheduler starts it and sends the order, a line of JSON, to standard input. When standard input
closes, because the command was stopped or killed, the run saves a checkpoint and stops.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from vidjax import records
from vidjax.progress import ProgressLine
from vidjax.run import code_digest
from vidjax.run.config import Config, from_mapping
from vidjax.storage.ownership import owned
from vidjax.storage.paths import as_path
from vidjax.storage.writing import make_folder, write_text
from vidjax.trained.scoring import evaluate
from vidjax.trained.sources.run import open_run
from vidjax.training.loop import train
from vidjax.training.preemption import EXIT_CODE

_ANEW = "remove it; the run then continues from its last checkpoint"


class Record(msgspec.Struct):
    """The record of a run."""

    state: Literal["started", "stopped", "failed", "finished"]
    starts: records.Count = 0
    seconds: records.Amount = 0.0
    error: str = ""
    step: records.Count = 0
    cpu_seconds: records.Amount = 0.0

    def __post_init__(self) -> None:
        if self.state == "finished" and not self.step:
            raise ValueError("a finished run needs its last step")


def main() -> int:
    """Trains the run of the order; returns 0, 75 if stopped, or 1 if the run failed."""
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_stop_when_left_alone, daemon=True).start()
    state = carry_out(order)
    return {"finished": 0, "stopped": EXIT_CODE}.get(state, 1)


def carry_out(order: Mapping[str, Any]) -> str:
    """Trains and evaluates a run; records its state and returns it.

    Args:
      order: `config`, `workdir`, `record` (a file), `code` (the digest of the code to use),
        `part_of` (what the run belongs to) and `also_scored` (splits to evaluate at the end).
    """
    record = as_path(order["record"])
    make_folder(record.parent)
    before = read_record(record)
    begun = {key: before.get(key, 0) + more for key, more in (("starts", 1), ("seconds", 0.0))}
    write_record(record, begun | {"state": "started"})
    try:
        _check(order["code"], order["part_of"])
        workdir = as_path(order["workdir"])
        _wait_for_others(workdir)
        config = from_mapping(order["config"])
        end = _attempt(config, workdir)
        if end["state"] == "trained":
            end |= _score(config, workdir, order["also_scored"])
        end["seconds"] += begun["seconds"]
    except Exception as error:  # other runs continue after any error, which the table shows
        traceback.print_exc()
        end = {"state": "failed", "error": f"{type(error).__name__}: {error}"}
    write_record(record, begun | end)
    return str(end["state"])


def _stop_when_left_alone() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _check(code: str, part_of: str) -> None:
    if code_digest.digest() != code:
        raise ValueError(
            f"vidjax was edited since the {part_of} started; use another checkout to edit it"
        )


def _wait_for_others(workdir: Path) -> None:
    """Waits for the process of a killed command, which may still save a checkpoint."""
    with owned(workdir, wait=True):
        pass


def _attempt(config: Config, workdir: Path) -> dict[str, Any]:
    start = time.monotonic()
    outcome = train(config, workdir)
    state = "stopped" if outcome.preempted else "trained"
    return {"state": state, "step": outcome.step, "seconds": time.monotonic() - start}


def _score(config: Config, workdir: Path, splits: Sequence[str]) -> dict[str, Any]:
    with ProgressLine() as progress:
        for split in splits:
            own = dataclasses.replace(config, eval=dataclasses.replace(config.eval, split=split))
            evaluate(own, open_run(workdir, own), workdir, progress)
    return {"state": "finished", "cpu_seconds": time.process_time()}


def read_record(file: Path) -> dict[str, Any]:
    """Reads the record of a run; empty before its first start."""
    return records.read_mapping(file, _ANEW, Record) if file.is_file() else {}


def write_record(file: Path, record: Mapping[str, Any]) -> None:
    """Writes the record of a run: `state` (started, stopped, failed, finished), `starts`, ..."""
    write_text(file, json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
