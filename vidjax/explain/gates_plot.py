"""Plots the states of temporal gates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from vidjax.explain.gates import GateLog, GateState
from vidjax.explain.tables import distinct_parts
from vidjax.untrusted_names import figure_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_gates(states: Sequence[GateState], logs: Sequence[GateLog]) -> Figure:
    """Plots open gates over training (mean over gates), and each gate's state on the test videos.

    Args:
      states: states of one or several runs.
      logs: logs of the runs that have any.
    """
    from matplotlib.figure import Figure

    runs = list(dict.fromkeys(state.run for state in states))
    labels = dict(zip(runs, map(figure_text, distinct_parts(runs)), strict=True))
    figure = Figure(figsize=(10, 1.6 + 0.35 * max(6, len(runs))), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
    _draw_training(left, logs, labels)
    _draw_states(right, states, labels)
    return figure


def _draw_training(axes: Axes, logs: Sequence[GateLog], labels: dict[str, str]) -> None:
    for number, run in enumerate(labels):
        for quantity, style in (("open", "-"), ("matched", ":")):
            own = [log for log in logs if (log.run, log.quantity) == (run, quantity)]
            steps = sorted({log.step for log in own})
            if steps:
                means = [np.mean([log.fraction for log in own if log.step == at]) for at in steps]
                label = labels[run] if quantity == "open" else None
                axes.plot(steps, means, style, color=f"C{number % 10}", label=label)
    axes.set(
        xlabel="training step", ylabel="open gates (dotted: without warm-up)", ylim=(-0.03, 1.03)
    )
    if axes.lines:
        axes.legend()
    else:
        axes.text(0.5, 0.5, "no run logged its gates in training", ha="center")


def _draw_states(axes: Axes, states: Sequence[GateState], labels: dict[str, str]) -> None:
    gates = list(dict.fromkeys(state.gate for state in states))
    table = np.full((len(labels), len(gates)), np.nan)
    rows = {run: row for row, run in enumerate(labels)}
    for state in states:
        table[rows[state.run], gates.index(state.gate)] = state.open
    axes.imshow(table, vmin=0, vmax=1, cmap="Greys", aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        if not np.isnan(value):
            shade = "white" if value > 0.5 else "black"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=shade, size=8)
    axes.set_xticks(range(len(gates)), gates, rotation=30, ha="right")
    axes.set_yticks(range(len(labels)), list(labels.values()))
    axes.set_title("fraction of test clips that open the gate", fontsize=10)
