"""Times forward passes and training steps of networks against PyTorch and XLA's convolutions.

Examples:
  vidjax benchmark models --models=r3d_18,x3d_s --passes=forward,train
  vidjax benchmark models --model=r3d_18 --clip=8,64,64 --clip=16,112,112 --batch=1,4
  vidjax benchmark models --models=r3d_18,x3d_s --processes=3 --output=runs/speed
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import jax
from absl import flags

import vidjax
from vidjax.storage.paths import as_path
from vidjax.terminal import say

from .. import help_text
from . import ratio_figure
from .arguments import clip_sizes, named, network_and_width, network_options, numbers, without
from .case import Case
from .comparison import Comparison, release
from .machine import (
    Machine,
    describe,
    leave_memory_to_others,
    measure,
    versions,
)
from .measurement import COLUMNS, LEGEND, Measurement
from .models_csv import write_csv
from .models_figure import draw
from .processes import in_processes, medians
from .timing import print_table

_MODEL = flags.DEFINE_string("model", "r3d_18", "NETWORK: Name of the network.")
_MODELS = flags.DEFINE_list(
    "models",
    [],
    "NETWORK,...: Several networks, instead of --model; `r3d_18:width=16` changes the width.",
)
_BATCH = flags.DEFINE_list("batch", ["4"], "N,...: Batch sizes.")
_CLIP = flags.DEFINE_multi_string("clip", ["8,64,64"], "FRAMES,HEIGHT,WIDTH: Size of the clips.")
_PASSES = flags.DEFINE_list("passes", ["train"], "PASS,...: Passes: forward, train.")
_DTYPES = flags.DEFINE_list("dtypes", ["float32"], "TYPE,...: Compute types: float32, bfloat16.")
_WIDTH = flags.DEFINE_integer("width", None, "Channels of the stem. By default as published.")
_DEPTHS = flags.DEFINE_list("depths", None, "N,...: Blocks of each stage. By default as published.")
_SCAN = flags.DEFINE_bool("scan", False, "Compiles equal blocks once.")
_CLASSES = flags.DEFINE_integer("classes", 400, "Number of classes.", lower_bound=1)
_PEER = flags.DEFINE_enum(
    "peer",
    "torch",
    ["torch", "none", "only"],
    "Whether PyTorch is measured for comparison; `only` measures it alone.",
)
_COMPILED = flags.DEFINE_bool(
    "compiled", False, "Also measures torch.compile, which takes minutes."
)
_LIMIT = flags.DEFINE_float("compile_seconds", 600, "SECONDS: Time limit of torch.compile.")
_LAX = flags.DEFINE_bool(
    "lax", False, "Also measures XLA's own convolutions, which are slow on a CPU."
)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Rounds; the median counts.", lower_bound=1)
_STEPS = flags.DEFINE_integer(
    "steps", 1, "Passes per measurement, started without waiting for results.", lower_bound=1
)
_PROCESSES = flags.DEFINE_integer(
    "processes",
    0,
    "Number of new processes for each network, of vidjax and of PyTorch in turns; their median "
    "counts. 0 measures everything in one process.",
    lower_bound=0,
)
_OUTPUT = flags.DEFINE_string(
    "output", "", "FOLDER: Folder for models.csv, models.png and ratios.png."
)
help_text.group("Networks", _MODEL, _MODELS, _WIDTH, _DEPTHS, _CLASSES, _SCAN)
help_text.group("Passes", _PASSES, _BATCH, _CLIP, _DTYPES)
help_text.group("Comparison", _PEER, _COMPILED, _LIMIT, _LAX)
help_text.group("Measuring", _ROUNDS, _STEPS, _PROCESSES)
# Flags that are not passed on to the processes of --processes.
_OF_ALL = ("--processes", "--output", "--model", "--models", "--peer")
_CHOICES = {"passes": ("forward", "train"), "dtypes": ("float32", "bfloat16")}


def main(arguments: Sequence[str]) -> None:
    """Times all implementations of each case in turns; prints a table per case, writes all rows.

    A case that fails, for example for lack of memory, is reported, and the others continue.

    Raises:
      ValueError: the value of a flag is unknown, or the output exists already.
      SystemExit: a case failed.
    """
    del arguments
    _check()
    if _PROCESSES.value:
        _repeat()
        return
    if _PEER.value != "none":
        leave_memory_to_others()
    machine = measure(_DTYPES.value)
    say(describe(), versions(), *_rates(machine).splitlines())
    rows: list[Measurement] = []
    failures = 0
    for comparison, case in _cases():
        try:
            measured = comparison.run(case, machine)
        except (RuntimeError, ValueError) as error:
            say(f"{case}: {error}")
            failures += 1
            continue
        finally:
            release()
        rows += measured
        _report(case, measured, rows)
    if rows:
        say(*LEGEND.splitlines())
        _draw(rows)
    if failures:
        raise SystemExit(f"{failures} cases failed; see above")


def _repeat() -> None:
    """Measures in several processes, and prints and writes the medians."""
    say(describe(), versions())
    common = ["models", *without(_OF_ALL, sys.argv[1:])]
    peers = {"torch": ("none", "only"), "none": ("none",), "only": ("only",)}[_PEER.value]
    parts = [[f"--models={name}", f"--peer={peer}"] for name in _names() for peer in peers]
    rows = medians(in_processes(common, parts, _PROCESSES.value, say))
    by_case: dict[Case, list[Measurement]] = {}
    for row in rows:
        clip = clip_sizes(row.clip)
        case = Case(row.network, row.task, row.dtype, row.batch, clip)
        by_case.setdefault(case, []).append(row)
    for case, measured in by_case.items():
        _report(case, measured, rows)
    say(*LEGEND.splitlines())
    _draw(rows)


def _draw(rows: Sequence[Measurement]) -> None:
    if not _OUTPUT.value:
        return
    title = f"{describe()}; {versions()}"
    draw(as_path(_OUTPUT.value) / "models.png", rows, title)
    if any(row.of_torch for row in rows):
        ratio_figure.draw(as_path(_OUTPUT.value) / "ratios.png", rows, title)


def _check() -> None:
    for flag, known in _CHOICES.items():
        for value in flags.FLAGS[flag].value:
            if value not in known:
                raise ValueError(f"--{flag}={value}: must be one of {', '.join(known)}")
    for name in _names():
        vidjax.model_card(network_and_width(name)[0])
    for text in _CLIP.value:
        clip_sizes(text)
    numbers("batch", _BATCH.value)
    _options()
    if _OUTPUT.value and (as_path(_OUTPUT.value) / "models.csv").exists():
        raise ValueError(
            f"--output={_OUTPUT.value} contains a models.csv already: name a new folder"
        )


def _names() -> list[str]:
    return _MODELS.value or [_MODEL.value]


def _cases() -> Iterator[tuple[Comparison, Case]]:
    options = _options()
    clips = [clip_sizes(text) for text in _CLIP.value]
    batches = numbers("batch", _BATCH.value)
    grid = itertools.product(_names(), _DTYPES.value, clips, batches, _PASSES.value)
    for text, dtype, clip, batch, task in grid:
        name, width = network_and_width(text)
        own = options if width is None else options | {"width": width}
        comparison = Comparison(
            name,
            _CLASSES.value,
            own,
            rounds=_ROUNDS.value,
            steps=_STEPS.value,
            own=_PEER.value != "only",
            torch=_PEER.value != "none",
            compile_limit=_LIMIT.value if _COMPILED.value else None,
            lax=_LAX.value,
        )
        yield comparison, Case(named(name, own), task, dtype, batch, clip)


def _options() -> dict[str, Any]:
    return network_options(_WIDTH.value, _DEPTHS.value, scan=_SCAN.value or None)


def _rates(machine: Machine) -> str:
    matmul = [f"{rate / 1e9:.0f} GFLOP/s in {dtype}" for dtype, rate in machine.matmul.items()]
    return f"matrix products {', '.join(matmul)}; copies {machine.copies / 1e9:.1f} GB/s"


def _report(case: Case, measured: Sequence[Measurement], rows: Sequence[Measurement]) -> None:
    macs = measured[0].macs_per_clip / 1e9
    title = f"{case}, {jax.default_backend()}: {macs:.3g} GMAC per clip"
    print_table(title, COLUMNS, [row.cells() for row in measured])
    if _OUTPUT.value:
        folder = as_path(_OUTPUT.value)
        folder.mkdir(parents=True, exist_ok=True)
        write_csv(folder / "models.csv", rows)
