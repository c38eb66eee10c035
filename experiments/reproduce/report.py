"""Writes the results of a plan: tables as Markdown and CSV, and pictures."""

from __future__ import annotations

from pathlib import Path

from vidjax.storage.writing import write_text

from ..runs import start_log
from . import contrast_results, contrasts_markdown, csv_tables, figure, markdown, power_figure
from .plan import Plan
from .results import read_result
from .statistics import summarize


def write_report(plan: Plan) -> Path:
    """Writes the table of a plan from the runs so far; returns the Markdown file."""
    setups = plan.table.at(plan.scale)
    results = [read_result(run, setups[run.dataset].timed) for run in plan.runs]
    summaries = {name: summarize(plan, results, name) for name in plan.datasets}
    contrasts = contrast_results.evaluate(plan, results)
    folder = plan.folder
    csv_tables.write_rows(folder / "table.csv", summaries)
    csv_tables.write_runs(folder / "runs.csv", summaries)
    if contrasts:
        csv_tables.write_contrasts(folder / "contrasts.csv", contrasts)
    title = f"{plan.table.name}, scale {plan.scale}"
    figure.draw(folder / "figure.png", summaries, contrasts, plan.table.reference, title)
    if known := power_figure.measurable(contrasts):
        power_figure.draw(folder / contrasts_markdown.POWER, known)
    text = folder / "table.md"
    write_text(text, markdown.render(plan, summaries, contrasts, start_log.noted(folder)))
    return text
