"""Measures the communication of a training step, and predicts the efficiency on many devices.

The step is compiled for simulated devices or, with --topology, for TPUs that may be absent (`pip
install 'vidjax[tpu]'`). Nothing is run. The number of clips per device stays the same as devices
are added.

Examples:
  vidjax benchmark scale --model=r3d_50 --devices=8
  vidjax benchmark scale --model=r3d_50 --devices=8 --fsdp=4 --machine=h100
  vidjax benchmark scale --model=x3d_m --machine=h100 --step_ms=180
  vidjax benchmark scale --model=r3d_50 --topology=v5e:2x4
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from absl import flags, logging

from vidjax.evaluation.collectives import KINDS, Collective, collectives
from vidjax.evaluation.cost import count_cost
from vidjax.run.config import Config
from vidjax.run.network import Network

from .. import help_text
from .arguments import clip_sizes, named, network_options
from .compiled_step import compile_step, devices, network_on, step_config
from .interconnect import MACHINES, Machine, Mesh, seconds
from .timing import print_table

_MODEL = flags.DEFINE_string("model", "r3d_50", "NETWORK: Name of the network.")
_CLASSES = flags.DEFINE_integer("classes", 400, "Number of classes.", lower_bound=1)
_CLIPS = flags.DEFINE_integer("clips", 8, "Clips per step on each device.", lower_bound=1)
_SHAPE = flags.DEFINE_list("clip", ["16", "112", "112"], "FRAMES,HEIGHT,WIDTH: Size of the clips.")
_WIDTH = flags.DEFINE_integer("width", None, "Channels of the stem. By default as published.")
_DTYPE = flags.DEFINE_enum("dtype", "bfloat16", ["float32", "bfloat16"], "Compute type.")
_DEVICES = flags.DEFINE_integer("devices", 8, "Simulated devices to compile for.", lower_bound=1)
_TOPOLOGY = flags.DEFINE_string(
    "topology", "", "TOPOLOGY: TPUs to compile for instead, such as v5e:2x4."
)
_FSDP = flags.DEFINE_integer("fsdp", 1, "Devices along the mesh axis that shards parameters.")
_NORM = flags.DEFINE_string("batch_norm", "global", "KIND: As the setting `train.batch_norm`.")
_PARTS = flags.DEFINE_integer("accumulate", 1, "As the setting `train.accumulate`.", lower_bound=1)
_MACHINE = flags.DEFINE_enum("machine", "v5e", sorted(MACHINES), "Machine to predict for.")
_LINK = flags.DEFINE_float(
    "link_gbs", None, "GB/s that a device sends inside an island, instead of the machine's."
)
_NETWORK = flags.DEFINE_float(
    "network_gbs", None, "GB/s that a device sends between islands, instead of the machine's."
)
_ISLAND = flags.DEFINE_integer("island", None, "Devices per island, instead of the machine's.")
_LATENCY = flags.DEFINE_float("latency_us", 0.0, "Latency of each exchange in microseconds.")
_STEP = flags.DEFINE_float("step_ms", None, "Measured milliseconds of a step on one device.")
_SHARE = flags.DEFINE_float(
    "peak_share", 0.3, "Share of the peak FLOP/s that a step reaches, if --step_ms is not given."
)
_MOST = flags.DEFINE_integer("most", 1024, "Largest number of devices to predict.", lower_bound=1)
help_text.group("Step", _MODEL, _CLASSES, _CLIPS, _SHAPE, _WIDTH, _DTYPE, _NORM, _PARTS)
help_text.group("Devices", _DEVICES, _TOPOLOGY, _FSDP)
help_text.group("Prediction", _MACHINE, _LINK, _NETWORK, _ISLAND, _LATENCY, _STEP, _SHARE, _MOST)


def main(arguments: Sequence[str]) -> None:
    """Compiles the step, and prints its communication and the predicted efficiency."""
    del arguments
    logging.set_verbosity(logging.ERROR)
    found = devices(_DEVICES.value, _TOPOLOGY.value)
    mesh = Mesh(len(found) // _FSDP.value, _FSDP.value)
    if mesh.size != len(found) or mesh.data == mesh.fsdp > 1:
        raise ValueError(
            f"--fsdp={_FSDP.value} does not fit {len(found)} devices: it must divide their "
            "number, and the other axis must have another size"
        )
    network = network_on(found, _config(mesh), _CLASSES.value)
    exchanges = collectives(compile_step(network, quickly=not _TOPOLOGY.value).as_text() or "")
    _print_exchanges(exchanges, mesh)
    _print_prediction(exchanges, mesh, _machine(), _compute(network))


def _config(mesh: Mesh) -> Config:
    return step_config(
        _MODEL.value,
        clip_sizes(_SHAPE.value),
        dataclasses.asdict(mesh),
        batch=_CLIPS.value * mesh.size,
        dtype=_DTYPE.value,
        width=_WIDTH.value,
        train={"batch_norm": _NORM.value, "accumulate": _PARTS.value},
    )


def _machine() -> Machine:
    machine = MACHINES[_MACHINE.value]
    given = {"link": _LINK.value, "network": _NETWORK.value, "island": _ISLAND.value}
    return dataclasses.replace(machine, **{k: v for k, v in given.items() if v is not None})


def _compute(network: Network) -> float:
    """Returns the seconds that a device computes in a step."""
    if _STEP.value:
        return _STEP.value / 1e3
    # Two operations per multiply-add; a backward pass has twice those of a forward pass.
    operations = 6 * count_cost(network.module, network.clip_shape[:3]).macs * _CLIPS.value
    return operations / (1e12 * MACHINES[_MACHINE.value].tflops * _SHARE.value)


def _print_exchanges(exchanges: Sequence[Collective], mesh: Mesh) -> None:
    rows = []
    for kind in KINDS:
        for group in sorted({one.group for one in exchanges if one.kind == kind}):
            own = [one for one in exchanges if (one.kind, one.group) == (kind, group)]
            times = sum(one.times for one in own)
            size = sum(one.size * one.times for one in own) / 1e6
            sent = sum(one.sent * one.times for one in own) / 1e6
            rows.append((kind, str(group), str(times), f"{size:.2f}", f"{sent:.2f}"))
    title = (
        f"{named(_MODEL.value, network_options(_WIDTH.value, None))}, {_DTYPE.value}, "
        f"mesh {mesh.data}x{mesh.fsdp}, {_CLIPS.value} clips of "
        f"{'x'.join(_SHAPE.value)} per device, batch_norm {_NORM.value}, in {_PARTS.value} parts"
    )
    columns = ("exchange", "devices", "times per step", "MB", "MB sent per device")
    print_table(title, columns, rows)


def _print_prediction(
    exchanges: Sequence[Collective], mesh: Mesh, machine: Machine, compute: float
) -> None:
    latency = 1e-6 * _LATENCY.value * sum(one.times for one in exchanges)
    rows, count = [], 2 * mesh.fsdp if mesh.data > 1 else 2
    while count <= _MOST.value:
        messages = seconds(exchanges, mesh, count, machine) + latency
        apart, hidden = compute / (compute + messages), compute / max(compute, messages)
        rows.append((str(count), f"{1e3 * messages:.2f}", f"{apart:.1%}", f"{hidden:.1%}"))
        count *= 2
    title = (
        f"predicted for {machine.source}; {machine.link:g} GB/s in islands of "
        f"{machine.island}, {machine.network:g} between; {_LATENCY.value:g} us per exchange; "
        f"{1e3 * compute:.1f} ms of computation"
    )
    columns = ("devices", "ms of messages", "efficiency, no overlap", "full overlap")
    print_table(title, columns, rows)
