"""Plots how long networks take compared with PyTorch: one line per network, one dot per pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vidjax.storage.writing import writing_bytes
from vidjax.untrusted_names import figure_text

from .measurement import Measurement

_STYLES = {"forward": ("o", "tab:blue", -0.13), "train": ("s", "tab:orange", 0.13)}


def draw(file: Path, rows: Sequence[Measurement], title: str) -> None:
    """Draws vidjax's time as a share of the time of PyTorch's best setting.

    A bar beside a dot is the range over processes.

    Args:
      file: PNG to write.
      rows: measurements of any cases; only those of vidjax that have a PyTorch counterpart are
        drawn.
      title: title of the figure.
    """
    from matplotlib.figure import Figure

    own = [row for row in rows if row.peer == "vidjax" and row.of_torch is not None]
    cases = list(dict.fromkeys(map(_case, own)))
    figure = Figure(figsize=(9, 1.6 + 0.42 * len(cases)), layout="constrained")
    axes = figure.subplots()
    for task, (marker, colour, shift) in _STYLES.items():
        chosen = [row for row in own if row.task == task]
        places = [cases.index(_case(row)) + shift for row in chosen]
        ratios = [row.of_torch or 0 for row in chosen]
        low = [
            row.of_torch - (row.least_of_torch or row.of_torch) for row in chosen if row.of_torch
        ]
        high = [
            (row.most_of_torch or row.of_torch) - row.of_torch for row in chosen if row.of_torch
        ]
        axes.errorbar(
            ratios, places, xerr=[low, high], fmt=marker, color=colour, label=task, capsize=2,
            elinewidth=1,
        )  # fmt: skip
    most = max((row.most_of_torch or row.of_torch or 0 for row in own), default=1)
    axes.set_xlim(0, max(1.0, 1.02 * most))
    axes.axvline(1, color="black", linewidth=2)
    axes.set_yticks(range(len(cases)), cases)
    axes.set_ylim(len(cases) - 0.5, -0.5)
    axes.set_xlabel("time, as a share of PyTorch's best (1: as fast as PyTorch; less is faster)")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    figure.suptitle(figure_text(title, 300), fontsize="small", wrap=True)
    with writing_bytes(file) as stream:
        figure.savefig(stream, format="png", dpi=110)


def _case(row: Measurement) -> str:
    kind = "" if row.dtype == "float32" else f", {row.dtype}"
    return f"{row.network}, {row.batch} x {row.clip}{kind}"
