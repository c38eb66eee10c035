"""The shapes of batches over an epoch, for each kind of cycle: figure 4.6 of the thesis."""

from __future__ import annotations

import dataclasses
from typing import Any

from vidjax.data.multigrid import GridSchedule, GridShape, Multigrid, grid_schedule
from vidjax.run.config import Config

_PANELS = {
    "none": "(a) baseline",
    "long": "(b) long cycles",
    "short": "(c) short cycles",
    "both": "(d) long + short",
}


def of_config(config: Config) -> Multigrid:
    """Returns the multigrid of a configuration over one epoch, without learning-rate stages."""
    return dataclasses.replace(Multigrid(**vars(config.multigrid)), over="epoch")


def tables(grid: Multigrid, base: GridShape, steps: int) -> dict[str, GridSchedule]:
    """Returns the shapes of an epoch with this number of steps, by kind of cycle."""
    return {
        cycle: grid_schedule(
            dataclasses.replace(grid, cycle=cycle), base, steps=steps, steps_per_epoch=steps
        )
        for cycle in _PANELS
    }


def draw(grid: Multigrid, base: GridShape, steps: int) -> Any:
    """Draws a panel for each kind of cycle: one bar per step, as high as the batch is large.

    Args:
      grid: the multigrid; its settings other than the cycle are the same in all panels.
      base: the base shape; all others cost as much.
      steps: number of steps of the epoch.

    Returns:
      A Matplotlib figure.
    """
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    found = tables(grid, base, steps)
    clips = sorted(
        {(shape.frames, shape.size) for table in found.values() for shape in table.shapes},
        reverse=True,
    )
    shades = matplotlib.colormaps["viridis"]
    colors = {clip: shades(place / max(1, len(clips) - 1)) for place, clip in enumerate(clips)}
    figure = Figure(figsize=(10, 6.2), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True, sharey=True).ravel()
    for axes, (cycle, title) in zip(panels, _PANELS.items(), strict=True):
        table = found[cycle]
        shapes = [table.shape(step) for step in range(steps)]
        shown = [colors[shape.frames, shape.size] for shape in shapes]
        axes.bar(range(steps), [shape.batch for shape in shapes], width=0.9, color=shown)
        axes.step(range(steps), base.batch * table.rates, where="mid", color="C3", linewidth=1.2)
        clips_a_step = table.firsts[-1] / steps
        axes.set_title(f"{title}: {clips_a_step:.0f} clips per step", loc="left")
        axes.set_yscale("log", base=2)
        axes.yaxis.set_major_formatter("{x:g}")
        axes.grid(axis="y", alpha=0.3)
    for axes in panels[2:]:
        axes.set_xlabel("step of an epoch")
    for axes in panels[::2]:
        axes.set_ylabel("clips of a batch")
    keys = [Patch(color=color, label=f"{f}x{s}x{s}") for (f, s), color in colors.items()]
    keys.append(panels[0].plot([], [], color="C3", label=f"learning rate, x {base.batch}")[0])
    figure.legend(handles=keys, loc="outside right center", title="frames and pixels")
    return figure
