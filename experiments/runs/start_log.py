"""The start log of a plan: date, command, hardware and duration of each start."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from vidjax import records
from vidjax.progress import duration
from vidjax.storage.writing import appending

_FILE = "starts.jsonl"


class _Start(msgspec.Struct):
    """A line of the start log."""

    date: str
    command: str
    hardware: str
    workers: records.Count
    seconds: records.Amount


def note(folder: Path, start: Mapping[str, Any]) -> None:
    """Adds a start to the log: date, command, hardware, workers, seconds."""
    with appending(folder / _FILE) as file:
        file.write(json.dumps(dict(start)) + "\n")


def noted(folder: Path) -> list[dict[str, Any]]:
    """Reads the start log of a plan.

    Raises:
      RecordError: a line is damaged.
    """
    file = folder / _FILE
    return records.read_lines(file, "remove the line", _Start) if file.is_file() else []


def in_words(starts: Sequence[Mapping[str, Any]]) -> str:
    """Describes how a table was made, one line per start."""
    lines = [
        f"- {start['date']}: `{start['command']}`, {start['workers']} at a time on "
        f"{start['hardware']}, {duration(start['seconds'])}"
        for start in starts
    ]
    total = duration(sum(start["seconds"] for start in starts))
    made = f"Made in {total} in all, with the versions and the commit in `plan.json`:"
    return "\n".join([made, "", *lines])
