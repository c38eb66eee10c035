"""The starts of a plan: when it was worked on, by which command, on what, for how long."""

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
    """A line of the starts of a plan."""

    date: str
    command: str
    hardware: str
    workers: records.Count
    seconds: records.Amount


def note(folder: Path, start: Mapping[str, Any]) -> None:
    """Adds to the starts of a plan: date, command, hardware, workers, seconds."""
    with appending(folder / _FILE) as file:
        file.write(json.dumps(dict(start)) + "\n")


def noted(folder: Path) -> list[dict[str, Any]]:
    """The starts of the plan in a folder.

    Raises:
      RecordError: a line is damaged.
    """
    file = folder / _FILE
    return records.read_lines(file, "remove the line", _Start) if file.is_file() else []


def in_words(starts: Sequence[Mapping[str, Any]]) -> str:
    """A paragraph that says how a table was made, a line a start."""
    lines = [
        f"- {start['date']}: `{start['command']}`, {start['workers']} at a time on "
        f"{start['hardware']}, {duration(start['seconds'])}"
        for start in starts
    ]
    total = duration(sum(start["seconds"] for start in starts))
    made = f"Made in {total} in all, as `plan.json` says, with its versions and commit:"
    return "\n".join([made, "", *lines])
