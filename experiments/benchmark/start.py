"""Measures how long users wait for the compiler, for the start of a command, and for help.

Each measurement is a separate process. Only the "second" starts use a cache of compiled programs,
which the first starts have filled.

Examples:
  vidjax benchmark start
  vidjax benchmark start --parts=compile --models=mtnet_s --passes=forward,train
  vidjax benchmark start --parts=help --rounds=5
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from absl import flags

import vidjax
from vidjax.__main__ import commands
from vidjax.terminal import say
from vidjax.untrusted_names import nearest

from .arguments import clip_sizes
from .case import Case
from .command_start import Start, help_seconds, predicting, training
from .compile_time import CompileTime, measure_compile_time
from .machine import describe, versions
from .timing import print_table

PARTS = ("compile", "runs", "help")
_PARTS = flags.DEFINE_list("parts", list(PARTS), f"PART,...: Parts to measure: {', '.join(PARTS)}.")
_MODELS = flags.DEFINE_list(
    "models",
    ["r3d_18", "r3d_50", "slowfast_50", "i3d", "mtnet_s"],
    "NETWORK,...: Networks to compile.",
)
_PASSES = flags.DEFINE_list("passes", ["forward", "train"], "PASS,...: Passes: forward, train.")
_BATCH = flags.DEFINE_integer("batch", 4, "Clips per pass.", lower_bound=1)
_CLIP = flags.DEFINE_string("clip", "8,64,64", "FRAMES,HEIGHT,WIDTH: Size of the clips.")
_RUN = flags.DEFINE_string(
    "run", "r3d_18", "NETWORK: Network that trains for one step and predicts."
)
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Rounds of --help; the median counts.", lower_bound=1)


def main(arguments: Sequence[str]) -> None:
    """Prints one table per part.

    Raises:
      ValueError: the value of a flag is unknown.
      RuntimeError: a command failed.
    """
    del arguments
    for flag, known in (("parts", PARTS), ("passes", ("forward", "train"))):
        for value in flags.FLAGS[flag].value:
            if value not in known:
                raise ValueError(f"--{flag}={value}: {nearest(value, known)}")
    for name in (*_MODELS.value, _RUN.value):
        vidjax.model_card(name)
    clip = clip_sizes(_CLIP.value)
    say(describe(), versions())
    if "compile" in _PARTS.value:
        cases = [
            Case(name, task, "float32", _BATCH.value, clip)
            for name in _MODELS.value
            for task in _PASSES.value
        ]
        title = f"compiling, {_BATCH.value} clips of {_CLIP.value} in float32"
        print_table(title, CompileTime.COLUMNS, [_in_new_process(case).cells() for case in cases])
    if "runs" in _PARTS.value:
        with tempfile.TemporaryDirectory() as folder:
            rows = [start.cells() for start in _starts(Path(folder), clip)]
        print_table(f"commands with {_RUN.value}", Start.COLUMNS, rows)
    if "help" in _PARTS.value:
        seconds = {name: help_seconds(name, _ROUNDS.value) for name in commands()}
        rows = [(f"vidjax {name} --help", f"{took:.2f}") for name, took in seconds.items()]
        rows.append(("median", f"{statistics.median(seconds.values()):.2f}"))
        print_table(f"help, medians of {_ROUNDS.value}", ("command", "s"), rows)


def _in_new_process(case: Case) -> CompileTime:
    """Measures compile time in a separate process, so that its memory is separate too."""
    spawning = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, spawning) as process:
        return process.submit(measure_compile_time, case).result()


def _starts(folder: Path, clip: tuple[int, int, int]) -> Iterator[Start]:
    for turn in ("first", "second"):
        yield training(folder, turn, _RUN.value, _BATCH.value, clip)
    for turn in ("first", "second"):
        yield predicting(folder, turn)
