"""Measures the peak memory of training, evaluation and explanations, against PyTorch.

Each row comes from a separate process. It compiles and runs the work once, returns freed memory to
the system, and then samples its own size every millisecond during three more runs. Memory that the
process had before it created the network, for example for libraries, does not count. On an
accelerator, the peak is that of the device.

"Planned" is the memory that XLA reserves for arguments, results and scratch. PyTorch does not plan
memory.

Example:
  vidjax benchmark memory --models=r3d_18,x3d_s --batch=8
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence

from absl import flags

import vidjax
from vidjax import records
from vidjax.installed_packages import is_installed
from vidjax.terminal import complain, say

from .arguments import clip_sizes
from .machine import describe, versions
from .memory_case import MAPS, MemoryCase, MemoryResult
from .timing import print_table

_MODELS = flags.DEFINE_list(
    "models", ["r3d_18", "x3d_s", "slowonly_50"], "NETWORK,...: Networks to measure."
)
_BATCH = flags.DEFINE_integer("batch", 8, "Clips per step.", lower_bound=1)
_CLIP = flags.DEFINE_list("clip", ["8", "64", "64"], "FRAMES,HEIGHT,WIDTH: Size of a clip.")
_WIDTH = flags.DEFINE_integer("width", None, "Channels of the stem. By default as published.")
_MAPS = flags.DEFINE_list("maps", list(MAPS), "METHOD,...: Explanations of one clip to measure.")
_PEER = flags.DEFINE_enum("peer", "torch", ["torch", "none"], "Framework to compare with.")
_STAGES = (1, 2, 3, 4)
COLUMNS = (
    "network",
    "what",
    "clips",
    "planned, MiB",
    "peak, MiB",
    "peak per clip, MiB",
    "of torch",
)


def main(arguments: Sequence[str]) -> None:
    """Measures each case in a separate process, and prints one row per case.

    Raises:
      ValueError: a network, a map or a clip is unknown.
    """
    del arguments
    for name in _MAPS.value:
        if name not in MAPS:
            raise ValueError(f"--maps={name}: must be one of {', '.join(MAPS)}")
    cases = [case for name in _MODELS.value for case in _cases(name)]
    say(describe(), versions())
    rows, peaks = [], dict[tuple[str, str], float]()
    for case in cases:
        found = _measure(case)
        peaks[case.model, case.what] = found.peak
        other = peaks.get((case.model, case.what.replace("vidjax", "torch").partition(", ")[0]))
        rows.append(_row(case, found, other))
        complain("  ".join(rows[-1]))
    print_table(f"clips of {'x'.join(_CLIP.value)}, float32", COLUMNS, rows)


def _cases(model: str) -> Iterator[MemoryCase]:
    """Yields the cases; those of PyTorch come first, because the others are compared with them."""
    vidjax.model_card(model)
    clip, batch = clip_sizes(_CLIP.value), _BATCH.value
    if _PEER.value == "torch" and _has_peer(model):
        yield MemoryCase(model, "torch train", batch, clip, _WIDTH.value)
        yield MemoryCase(model, "torch forward", batch, clip, _WIDTH.value)
    yield MemoryCase(model, "vidjax train", batch, clip, _WIDTH.value)
    if _takes_remat(model):
        yield MemoryCase(model, "vidjax train, remat", batch, clip, _WIDTH.value, _STAGES)
    yield MemoryCase(model, "vidjax forward", batch, clip, _WIDTH.value)
    for name in _MAPS.value:
        yield MemoryCase(model, name, 1, clip, _WIDTH.value)


def _has_peer(model: str) -> bool:
    if not is_installed("torch"):
        return False
    from ..torch_networks.registry import PEERS

    return model in PEERS


def _takes_remat(model: str) -> bool:
    try:
        vidjax.create_model(model, remat=_STAGES)
    except ValueError:
        return False
    return True


def _measure(case: MemoryCase) -> MemoryResult:
    command = [sys.executable, "-m", f"{__package__}.memory_case", json.dumps(vars(case))]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{case.model}, {case.what}: {done.stderr.strip()}")
    return records.parsed(done.stdout.splitlines()[-1], MemoryResult)


def _row(case: MemoryCase, found: MemoryResult, other: float | None) -> tuple[str, ...]:
    is_own_pass = case.what.startswith("vidjax") and other
    return (
        case.model,
        case.what,
        str(case.batch),
        f"{found.planned / 2**20:.0f}" if found.planned else "-",
        f"{found.peak / 2**20:.0f}",
        f"{found.peak / 2**20 / case.batch:.0f}",
        f"{found.peak / other:.2f}" if is_own_pass and other else "-",
    )
