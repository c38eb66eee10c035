"""Writes what a plan came to: `table.md`, `table.csv`, `runs.csv` and `figure.png`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.reproduce import figure, markdown, sheets
from experiments.reproduce.plan import Plan
from experiments.reproduce.results import read_result
from experiments.reproduce.statistics import summarize
from vidjax.writing import appending, write_text


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
    lines = _starts(plan).read_text().splitlines() if _starts(plan).is_file() else []
    starts = [json.loads(line) for line in lines]
    text = folder / "table.md"
    write_text(text, markdown.render(plan, summaries, starts))
    return text


def _starts(plan: Plan) -> Path:
    return plan.folder / "starts.jsonl"
