"""Lists the tables: data sets, hours, and whether videos and weights are on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ml_collections import ConfigDict

from vidjax.data.catalog import sizes
from vidjax.data.multigrid import GridShape, Multigrid, cycles, mean_batch
from vidjax.models.model_list import model_card
from vidjax.run import durations
from vidjax.storage.paths import as_path
from vidjax.terminal import say, table

from .data_sets import absence
from .table import Setup, Table

# Operations per multiply-add, and passes over a clip: backward costs twice as much as forward.
_OPERATIONS, _PASSES = 2, 3
_NOTES = (
    "The hours of scale small were measured on two CPU cores (docs/evidence); those of tables "
    "evidence.* are estimates from single runs. Those of scale paper are estimates for training "
    "alone, on one device that achieves {rate:g} TFLOP/s (--tflops). A dash is unknown. Every "
    "table with scale small also has scale smoke, which takes a few minutes."
)


def print_list(tables: Sequence[Table], tflops: float) -> None:
    """Prints a line for each table and data set.

    Args:
      tables: the tables, in order.
      tflops: TFLOP/s that a device achieves.
    """
    columns = ("table", "title", "scale", "data set", "runs", "hours", "on this machine")
    rows = (row for each in tables for row in _rows(each, tflops))
    table(None, columns, rows, width=160)
    say(_NOTES.format(rate=tflops))


def _rows(each: Table, tflops: float) -> Iterator[tuple[str, ...]]:
    name, title = each.name, each.title
    for scale in ("small", "gpu", "paper"):
        for dataset, setup in each.setups.get(scale, {}).items():
            rows = each.rows_on(scale, dataset)
            configs = [setup.config(row.name) for row in rows]
            runs = len(rows) * len(setup.seeds)
            took = _hours(setup, configs, tflops)
            yield name, title, scale, dataset, str(runs), took, _at_hand(dataset, configs)
            name = title = ""
    if not each.setups:
        yield name, title, "-", "none: nothing is trained", "0", "0", "--analytical"


def _hours(setup: Setup, configs: Sequence[ConfigDict], tflops: float) -> str:
    if setup.minutes:
        return f"{setup.minutes / 60:.1f}"
    operations = len(setup.seeds) * sum(map(training_operations, configs))
    if not operations:
        return "-"
    return f"{operations / (tflops * 1e12) / 3600:,.0f}"


def training_operations(config: ConfigDict) -> float:
    """Estimates the operations of a training from its network's card; 0 if the data are unknown.

    Args:
      config: the complete configuration.
    """
    videos = sizes(config.data.name).get(config.data.train_split, 0)
    card, clip = model_card(config.model.name), config.clip
    frames, height, width = card.clip
    macs = card.macs * clip.frames * clip.size**2 / (frames * height * width)
    base = GridShape(config.train.batch_size, clip.frames, clip.size)
    clips = mean_batch(cycles(Multigrid(**config.multigrid.to_dict()), base))
    steps = durations.steps(config.train.duration, steps_per_epoch=videos / clips)
    # A frozen network has no backward pass.
    passes = 1 if config.train.train_only else _PASSES
    return float(steps * base.batch * macs * _OPERATIONS * passes)


def _at_hand(dataset: str, configs: Sequence[ConfigDict]) -> str:
    """Returns `yes` if videos and weights are on this machine, else the missing ones."""
    weights = dict.fromkeys(config.model.weights for config in configs if config.model.weights)
    missing = [path for path in weights if not as_path(path).exists()]
    lacking = [absence(dataset, configs[0]).partition(";")[0].partition(": ")[2]]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        lacking.append(f"{missing[0]}{more} absent")
    return "; ".join(filter(None, lacking)) or "yes"
