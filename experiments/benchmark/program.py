"""Compiles a training step for a TPU, which may be absent, and lists what would be slow there.

It counts float32 products, transposes, copies, pads and the padding of tiles, and lists the largest
of each. Compiling for TPUs needs `pip install 'vidjax[tpu]'`. Nothing is run.

Examples:
  vidjax benchmark program --model=r3d_50 --topology=v5e:2x2
  vidjax benchmark program --model=x3d_m --topology=""    # for this machine's CPU
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags, logging

from vidjax.storage.paths import as_path
from vidjax.storage.writing import write_text
from vidjax.terminal import say

from .arguments import clip_sizes, named, network_options
from .compiled_step import compile_step, devices, network_on, step_config
from .findings import FLOAT32, KINDS, TILES, Finding, findings
from .machine import versions
from .timing import print_table

_MODEL = flags.DEFINE_string(
    "model", "r3d_50", "NETWORK: Network to compile, from vidjax.list_models()."
)
_TOPOLOGY = flags.DEFINE_string(
    "topology", "v5e:2x2", "TOPOLOGY: TPUs to compile for; empty means this CPU."
)
_CLIPS = flags.DEFINE_integer("clips", 8, "Clips per step and device.", lower_bound=1)
_SHAPE = flags.DEFINE_list("clip", ["16", "112", "112"], "FRAMES,HEIGHT,WIDTH: Size of a clip.")
_WIDTH = flags.DEFINE_integer("width", None, "Channels of the stem. By default as published.")
_CLASSES = flags.DEFINE_integer("classes", 400, "Number of classes.", lower_bound=1)
_DTYPE = flags.DEFINE_enum("dtype", "bfloat16", ["float32", "bfloat16"], "Compute type.")
_SHOWN = flags.DEFINE_integer("shown", 4, "Number of findings of each kind to list.", lower_bound=0)
_OUTPUT = flags.DEFINE_string("output", "", "FILE: File for the text of the compiled program.")


def main(arguments: Sequence[str]) -> None:
    """Compiles the step and prints the findings."""
    del arguments
    logging.set_verbosity(logging.ERROR)
    found_devices = devices(1, _TOPOLOGY.value)
    mesh = {"data": len(found_devices), "fsdp": 1}
    config = step_config(
        _MODEL.value,
        clip_sizes(_SHAPE.value),
        mesh,
        batch=_CLIPS.value * len(found_devices),
        dtype=_DTYPE.value,
        width=_WIDTH.value,
    )
    program = compile_step(
        network_on(found_devices, config, _CLASSES.value), quickly=not _TOPOLOGY.value
    )
    text = program.as_text() or ""
    if _OUTPUT.value:
        write_text(as_path(_OUTPUT.value), text)
    _print(findings(text), program)


def _print(found: Sequence[Finding], program: object) -> None:
    sizes = program.memory_analysis()  # type: ignore[attr-defined]
    title = (
        f"{named(_MODEL.value, network_options(_WIDTH.value, None))}, {_DTYPE.value}, "
        f"{_CLIPS.value} clips of {'x'.join(_SHAPE.value)} per device, "
        f"for {_TOPOLOGY.value or 'this CPU'}; "
        f"{sizes.temp_size_in_bytes / 2**20:.0f} MiB of scratch"
    )
    rows = []
    for kind in KINDS:
        own = [each for each in found if each.kind == kind]
        rows.append((kind, str(len(own)), f"{sum(each.size for each in own) / 2**20:.1f}"))
    say(versions())
    print_table(title, ("what", "how many", "MiB"), rows)
    named_ones = []
    for kind in KINDS:
        own = [each for each in found if each.kind == kind][: _SHOWN.value]
        named_ones += [(kind, each.what, f"{each.size / 2**20:.2f}", each.where) for each in own]
    if named_ones:
        print_table("the largest", ("what", "array", "MiB", "compiled from"), named_ones)
    say(f"{FLOAT32}: sizes are those of the results. {TILES}: sizes are those of the padding.")
