"""Writes what a plan came to: `table.md`, `table.csv`, `runs.csv` and `figure.png`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from vidjax import records
from vidjax.writing import appending, write_text

from . import figure, markdown, sheets
from .plan import Plan
from .results import read_result
from .statistics import summarize


class _Start(msgspec.Struct):
    """A line of the starts of a plan."""

    date: str
    command: str
    hardware: str
    workers: records.Count
    seconds: records.Amount


def note_start(plan: Plan, start: Mapping[str, Any]) -> None:
    """Adds to the starts of a plan: date, command, hardware, workers, seconds."""
    with appending(_starts(plan)) as file:
        file.write(json.dumps(dict(start)) + "\n")


def write_report(plan: Plan) -> Path:
    """Writes the table of a plan from the runs there are; returns the Markdown file."""
    setups = plan.table.setups[plan.scale]
    results = [read_result(run, setups[run.dataset].timed) for run in plan.runs]
    summaries = {name: summarize(plan, results, name) for name in plan.datasets}
    folder = plan.folder
    sheets.write_rows(folder / "table.csv", summaries)
    sheets.write_runs(folder / "runs.csv", summaries)
    title = f"{plan.table.name}, scale {plan.scale}"
    figure.draw(folder / "figure.png", summaries, plan.table.reference, title)
    there = _starts(plan).is_file()
    starts = records.read_lines(_starts(plan), "remove the line", _Start) if there else []
    text = folder / "table.md"
    write_text(text, markdown.render(plan, summaries, starts))
    return text


def _starts(plan: Plan) -> Path:
    return plan.folder / "starts.jsonl"
