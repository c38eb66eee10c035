"""Profiles one training step: the largest costs by kind of layer and by operation.

Examples:
  vidjax benchmark profile --model=r3d_18
  vidjax benchmark profile --model=x3d_s --output=runs/trace
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from absl import flags

import vidjax
from vidjax.storage.paths import as_path
from vidjax.terminal import say

from .arguments import clip_sizes, named, network_options
from .machine import describe, versions
from .timing import print_table
from .trace import Instruction, instructions, operation_times, without_control
from .train_step import make_step

_MODEL = flags.DEFINE_string("model", "r3d_18", "NETWORK: Name of the network.")
_BATCH = flags.DEFINE_integer("batch", 4, "Batch size.", lower_bound=1)
_CLIP = flags.DEFINE_list("clip", ["8", "64", "64"], "FRAMES,HEIGHT,WIDTH: Size of the clips.")
_WIDTH = flags.DEFINE_integer("width", None, "Channels of the stem. By default as published.")
_DEPTHS = flags.DEFINE_list("depths", None, "N,...: Blocks of each stage. By default as published.")
_DTYPE = flags.DEFINE_enum("dtype", "float32", ["float32", "bfloat16"], "Compute type.")
_OUTPUT = flags.DEFINE_string("output", "", "FOLDER: Folder to keep the trace in, for a viewer.")
_SHOWN = 8


def main(arguments: Sequence[str]) -> None:
    """Traces a step that has run before, and prints what took the most time."""
    del arguments
    shape = (_BATCH.value, *clip_sizes(_CLIP.value), 3)
    given = network_options(_WIDTH.value, _DEPTHS.value)
    model = vidjax.create_model(_MODEL.value, dtype=jnp.dtype(_DTYPE.value), **given)
    step = make_step(model, shape)
    step()
    step()
    if _OUTPUT.value:
        times = _traced(step, as_path(_OUTPUT.value))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            times = _traced(step, Path(scratch))
    known = instructions(step.program.as_text())
    times = without_control(times, known)
    say(
        describe(),
        versions(),
        f"A training step of {named(_MODEL.value, given)}, {_DTYPE.value}, {shape[0]} clips of "
        f"{'x'.join(_CLIP.value)}, {jax.default_backend()}: times of {len(times)} operations from "
        "the profiler's trace, by the layer that the compiled program names. A fusion counts for "
        "the layer of its last operation; times of concurrent operations are added up.",
    )
    _print_kinds(times, known)
    _print_operations(times, known)


def _traced(step: Any, folder: Path) -> Counter[str]:
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0
    with jax.profiler.trace(str(folder), profiler_options=options):
        step()
    return operation_times(folder)


def _print_kinds(times: Counter[str], known: Mapping[str, Instruction]) -> None:
    kinds: Counter[str] = Counter()
    for name, ns in times.items():
        kinds[known[name].kind if name in known else "not in the program"] += ns
    rows = [(kind, *_amount(ns, times)) for kind, ns in kinds.most_common(_SHOWN)]
    print_table("by kind of layer", ("kind", "ms", "share"), rows)
    largest = [f"{kind} ({share})" for kind, _, share in rows[:3]]
    say(f"The three largest costs: {'; '.join(largest)}.")


def _print_operations(times: Counter[str], known: Mapping[str, Instruction]) -> None:
    rows = []
    for name, ns in times.most_common(_SHOWN):
        each = known.get(name)
        where = f"{each.layer or '-'}, {each.direction}" if each else "-"
        rows.append((name[:50], where[-44:], *_amount(ns, times)))
    print_table("by operation", ("operation", "layer", "ms", "share"), rows)


def _amount(ns: float, times: Counter[str]) -> tuple[str, str]:
    return f"{ns / 1e6:.2f}", f"{ns / times.total():.1%}"
