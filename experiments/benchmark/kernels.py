"""Times single convolutions, forward and backward, against XLA's and PyTorch's.

With --measure it times every algorithm for every convolution of --networks instead, and writes the
table from which `vidjax.layers.convolution` chooses algorithms on such a machine.

Examples:
  vidjax benchmark kernels --only=channel-wise
  vidjax benchmark kernels --measure=measured.csv --networks=r3d_18 --check
"""

from __future__ import annotations

import functools
import math
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from absl import flags

from vidjax.installed_packages import is_installed
from vidjax.layers.conv import Triple, conv3d
from vidjax.layers.convolution.choice import VARIABLE, read_rows
from vidjax.layers.convolution.problem import Problem
from vidjax.storage.paths import as_path
from vidjax.terminal import say
from vidjax.training.malloc_settings import keep_freed_memory

from .. import help_text
from .arguments import clip_sizes
from .choice_check import print_check
from .convolution_times import measure
from .machine import copy_rates, leave_memory_to_others
from .timing import print_table, time_in_turns

_KERNEL_ROUNDS = flags.DEFINE_integer(
    "kernel_rounds", 5, "Rounds; the median counts.", lower_bound=1
)
_ONLY = flags.DEFINE_string("only", "", "TEXT: Measures only cases whose name contains this text.")
_MEASURE = flags.DEFINE_string(
    "measure", "", "FILE: Times all algorithms instead, and writes this table or continues it."
)
_NETWORKS = flags.DEFINE_list(
    "networks", ["r3d_18", "x3d_s"], "NETWORK,...: Networks whose convolutions --measure times."
)
_BATCH = flags.DEFINE_integer("batch", 4, "Batch size for --measure.", lower_bound=1)
_CLIP = flags.DEFINE_list(
    "clip", ["8", "64", "64"], "FRAMES,HEIGHT,WIDTH: Size of the clips for --measure."
)
_DTYPE = flags.DEFINE_enum(
    "dtype", "float32", ["float32", "bfloat16"], "Compute type for --measure."
)
_CHECK = flags.DEFINE_boolean(
    "check",
    False,
    "Compares the choices of the table in use with the times in the table of --measure.",
)
help_text.group("Table of algorithms", _MEASURE, _NETWORKS, _BATCH, _CLIP, _DTYPE, _CHECK)


@dataclass(frozen=True)
class Case:
    """A convolution: input `[B, T, H, W, C]`, kernel size, output channels, strides, groups."""

    name: str
    shape: tuple[int, int, int, int, int]
    kernel: Triple
    features: int
    strides: Triple = (1, 1, 1)
    groups: int = 1


CASES = (
    Case("3x3x3, 64 channels", (4, 8, 28, 28, 64), (3, 3, 3), 64),
    Case("1x3x3, 64 channels", (4, 8, 28, 28, 64), (1, 3, 3), 64),
    Case("channel-wise 3x3x3, 54", (1, 8, 56, 56, 54), (3, 3, 3), 54, groups=54),
    Case("channel-wise 3x3x3, 432", (1, 8, 14, 14, 432), (3, 3, 3), 432, groups=432),
    Case("channel-wise strided, 54", (1, 8, 56, 56, 54), (3, 3, 3), 54, (1, 2, 2), 54),
    Case("channel-wise 5x1x1, 24", (1, 16, 56, 56, 24), (5, 1, 1), 24, groups=24),
    Case("32 groups, 128", (1, 8, 28, 28, 128), (3, 3, 3), 128, groups=32),
    Case("32 groups, 512", (1, 2, 7, 7, 512), (3, 3, 3), 512, groups=32),
)


def passes(case: Case, lowering: str) -> Callable[[], object]:
    """Compiles the result and both gradients of a convolution, in one of vidjax's lowerings."""
    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(keys[0], case.shape)
    kernel_shape = (*case.kernel, case.shape[-1] // case.groups, case.features)
    kernel = jax.random.normal(keys[1], kernel_shape)
    conv = functools.partial(conv3d, strides=case.strides, groups=case.groups, lowering=lowering)

    def both(x: jax.Array, kernel: jax.Array, cotangent: jax.Array) -> Any:
        y, back = jax.vjp(conv, x, kernel)
        return y, back(cotangent)

    output = jax.eval_shape(conv, x, kernel)
    cotangent = jax.random.normal(keys[2], output.shape)
    compiled = jax.jit(both).lower(x, kernel, cotangent).compile()
    return lambda: jax.block_until_ready(compiled(x, kernel, cotangent))


def torch_passes(case: Case) -> Callable[[], object]:
    """Prepares the same passes in PyTorch's eager mode, channels last."""
    import torch

    from .torch_baseline import as_jax_does, device, wait

    as_jax_does()

    batch, *sizes, channels = case.shape
    layout = torch.channels_last_3d
    x = torch.randn(batch, channels, *sizes, device=device())
    x = x.contiguous(memory_format=layout).requires_grad_()
    pads = tuple(size // 2 for size in case.kernel)
    module = torch.nn.Conv3d(
        channels, case.features, case.kernel, case.strides, pads, groups=case.groups, bias=False
    ).to(device(), memory_format=layout)
    cotangent = torch.randn_like(module(x))

    def work() -> None:
        torch.autograd.grad(module(x), (x, module.weight), cotangent)
        wait()

    return work


def main(arguments: Sequence[str]) -> None:
    """Times each case in turns and prints the table, or measures all algorithms."""
    del arguments
    leave_memory_to_others()
    if _ONLY.value and _MEASURE.value:
        raise ValueError(
            "--only selects cases to compare, so it has no effect with --measure; leave it out"
        )
    if _MEASURE.value:
        _measure_algorithms(as_path(_MEASURE.value))
    else:
        _compare()


def _measure_algorithms(output: Path) -> None:
    # Otherwise, touching new pages would take most of a single convolution's time.
    keep_freed_memory()
    shape = (_BATCH.value, *clip_sizes(_CLIP.value), 3)
    command = f"vidjax benchmark kernels {shlex.join(sys.argv[1:])}"
    if _CHECK.value and output.exists():
        print_check(read_rows(output))
        return
    rows = measure(_NETWORKS.value, shape, _DTYPE.value, _KERNEL_ROUNDS.value, output, command)
    columns = (
        "clip",
        "kernel",
        "strides",
        "outputs",
        "groups",
        "pass",
        "algorithm",
        "ms",
        "others",
    )
    shown = [tuple(row[column] for column in columns) for row in rows]
    print_table("The fastest algorithm of each pass", columns, shown)
    say(f"written to {output}; set {VARIABLE}={output} to make vidjax use it")
    if _CHECK.value:
        print_check(rows)


def _compare() -> None:
    cases = [case for case in CASES if _ONLY.value in case.name]
    if not cases:
        names = "; ".join(case.name for case in CASES)
        raise ValueError(f"--only={_ONLY.value} is not part of the name of a case: {names}")
    copies = max(copy_rates(_KERNEL_ROUNDS.value).values())
    rows = []
    for case in cases:
        peers = {"vidjax": passes(case, "auto"), "XLA": passes(case, "lax")}
        if is_installed("torch"):
            peers["torch"] = torch_passes(case)
        times = time_in_turns(peers, _KERNEL_ROUNDS.value)
        ours = times["vidjax"]
        ratios = [
            f"{times[peer] / ours:.1f}" if peer in times else "-" for peer in ("XLA", "torch")
        ]
        share = moved_bytes(case) / (ours / 1e3) / copies
        rows.append((case.name, f"{ours:.2f}", *ratios, f"{share:.1%}"))
    title = f"Convolution and both gradients, float32, {jax.default_backend()}"
    columns = ("case", "ms", "times faster than XLA", "than torch eager", "of copies")
    print_table(title, columns, rows)


def moved_bytes(case: Case) -> int:
    """Returns the bytes of all arrays that the three passes read and write, in float32."""
    kernel = (*case.kernel, case.shape[-1] // case.groups, case.features)
    pads = tuple((size // 2, size // 2) for size in case.kernel)
    problem = Problem(case.shape, kernel, case.strides, pads, case.groups)
    arrays = (math.prod(case.shape), math.prod(kernel), problem.positions * case.features)
    return 3 * 4 * sum(arrays)
