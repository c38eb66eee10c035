"""What devices send in a training step, and the efficiency that follows on paper.

The step is compiled for simulated devices or, with --topology, for TPUs that need not be here
(`pip install 'vidjax[tpu]'`); nothing is run. Clips a device stay the same while devices are added.

Examples:
  vidjax benchmark scale --model=r3d_50 --devices=8
  vidjax benchmark scale --model=r3d_50 --devices=8 --fsdp=4 --machine=h100
  vidjax benchmark scale --model=x3d_m --machine=h100 --step_ms=180
  vidjax benchmark scale --model=r3d_50 --topology=v5e:2x4
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np
import optax
from absl import flags, logging
from jax.experimental.topologies import get_topology_desc
from jax.sharding import AxisType

from vidjax.configs import synthetic
from vidjax.evaluation.collectives import KINDS, Collective, collectives
from vidjax.evaluation.cost import count_cost
from vidjax.haste import QUICKLY
from vidjax.layers.lowering import force_lowering
from vidjax.run.config import Config, from_mapping
from vidjax.run.network import Network
from vidjax.run.sharding import BATCH_AXES
from vidjax.training.compile import lower_step

from .given import clip_sizes, form, named
from .interconnect import MACHINES, Machine, Mesh, seconds
from .rounds import print_table

_MODEL = flags.DEFINE_string("model", "r3d_50", "network, as in vidjax.list_models()")
_CLASSES = flags.DEFINE_integer("classes", 400, "of the network", lower_bound=1)
_CLIPS = flags.DEFINE_integer("clips", 8, "of a step on each device", lower_bound=1)
_SHAPE = flags.DEFINE_list("clip", ["16", "112", "112"], "frames, height and width of a clip")
_WIDTH = flags.DEFINE_integer("width", None, "channels of the stem; as published if not given")
_DTYPE = flags.DEFINE_enum("dtype", "bfloat16", ["float32", "bfloat16"], "compute type")
_DEVICES = flags.DEFINE_integer("devices", 8, "simulated devices to compile for", lower_bound=1)
_TOPOLOGY = flags.DEFINE_string("topology", "", "TPUs to compile for instead, as v5e:2x4")
_FSDP = flags.DEFINE_integer("fsdp", 1, "of them along the axis that splits parameters")
_NORM = flags.DEFINE_string("batch_norm", "global", "as train.batch_norm")
_PARTS = flags.DEFINE_integer("accumulate", 1, "as train.accumulate", lower_bound=1)
_MACHINE = flags.DEFINE_enum("machine", "v5e", sorted(MACHINES), "whose numbers to predict with")
_LINK = flags.DEFINE_float("link_gbs", None, "GB/s of a device inside an island, instead")
_NETWORK = flags.DEFINE_float("network_gbs", None, "GB/s of a device between islands, instead")
_ISLAND = flags.DEFINE_integer("island", None, "devices of an island, instead")
_LATENCY = flags.DEFINE_float("latency_us", 0.0, "microseconds that each exchange takes besides")
_STEP = flags.DEFINE_float("step_ms", None, "measured milliseconds of a step on one device")
_SHARE = flags.DEFINE_float("peak_share", 0.3, "of the peak that a step reaches, if not measured")
_MOST = flags.DEFINE_integer("most", 1024, "devices to predict up to", lower_bound=1)


def main(arguments: Sequence[str]) -> None:
    """Compiles the step, prints what it sends and what is predicted from that."""
    del arguments
    logging.set_verbosity(logging.ERROR)
    devices = _devices()
    mesh = Mesh(len(devices) // _FSDP.value, _FSDP.value)
    if mesh.size != len(devices) or mesh.data == mesh.fsdp > 1:
        raise ValueError(
            f"--fsdp={_FSDP.value} of {len(devices)} devices: it divides them, and the other axis "
            "has another size"
        )
    axes = (AxisType.Auto, AxisType.Auto)
    shape = np.array(devices).reshape(mesh.data, mesh.fsdp)
    classes = tuple(map(str, range(_CLASSES.value)))
    network = Network(_config(mesh), classes, jax.sharding.Mesh(shape, BATCH_AXES, axis_types=axes))
    exchanges = collectives(compiled_text(network))
    _print_exchanges(exchanges, mesh)
    _print_prediction(exchanges, mesh, _machine(), _compute(network))


def _devices() -> list[jax.Device]:
    jax.config.update("jax_num_cpu_devices", _DEVICES.value)
    jax.config.update("jax_platforms", "cpu")
    if not _TOPOLOGY.value:
        return jax.devices()
    return list(get_topology_desc(platform="tpu", topology_name=_TOPOLOGY.value).devices)


def compiled_text(network: Network) -> str:
    """The compiled program of a network's training step, as an accelerator computes it."""
    optimizer = network.optimizer(optax.constant_schedule(0.1))
    state = network.state_like(optimizer)
    shardings = jax.tree.map(lambda leaf: leaf.sharding, state)
    with force_lowering("lax"):
        lowered = lower_step(network, optimizer, state, shardings)
    return lowered.compile(None if _TOPOLOGY.value else QUICKLY).as_text() or ""


def _config(mesh: Mesh) -> Config:
    config = synthetic.get_config(f"model={_MODEL.value}")
    config.dtype = _DTYPE.value
    if _WIDTH.value:
        config.model.options.width = _WIDTH.value
    frames, height, width = clip_sizes(_SHAPE.value)
    if height != width:
        raise ValueError(f"--clip={','.join(_SHAPE.value)}: training cuts out squares")
    config.clip.update({"frames": frames, "size": height})
    config.train.batch_size = _CLIPS.value * mesh.size
    config.train.update({"batch_norm": _NORM.value, "accumulate": _PARTS.value})
    config.mesh.update(dataclasses.asdict(mesh))
    return from_mapping(config)


def _machine() -> Machine:
    machine = MACHINES[_MACHINE.value]
    given = {"link": _LINK.value, "network": _NETWORK.value, "island": _ISLAND.value}
    return dataclasses.replace(machine, **{k: v for k, v in given.items() if v is not None})


def _compute(network: Network) -> float:
    """Seconds that a device computes in a step."""
    if _STEP.value:
        return _STEP.value / 1e3
    # Two operations a multiply-add; backwards is twice forwards.
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
        f"{named(_MODEL.value, form(_WIDTH.value, None))}, {_DTYPE.value}, "
        f"mesh {mesh.data}x{mesh.fsdp}, {_CLIPS.value} clips of "
        f"{'x'.join(_SHAPE.value)} a device, batch_norm {_NORM.value}, in {_PARTS.value} parts"
    )
    columns = ("exchange", "devices", "times a step", "MB", "MB sent by a device")
    print_table(title, columns, rows)


def _print_prediction(
    exchanges: Sequence[Collective], mesh: Mesh, machine: Machine, compute: float
) -> None:
    latency = 1e-6 * _LATENCY.value * sum(one.times for one in exchanges)
    rows, devices = [], 2 * mesh.fsdp if mesh.data > 1 else 2
    while devices <= _MOST.value:
        messages = seconds(exchanges, mesh, devices, machine) + latency
        apart, hidden = compute / (compute + messages), compute / max(compute, messages)
        rows.append((str(devices), f"{1e3 * messages:.2f}", f"{apart:.1%}", f"{hidden:.1%}"))
        devices *= 2
    title = (
        f"predicted on paper for {machine.source}; {machine.link:g} GB/s in islands of "
        f"{machine.island}, {machine.network:g} between; {_LATENCY.value:g} us an exchange; "
        f"{1e3 * compute:.1f} ms of computing"
    )
    columns = ("devices", "ms of messages", "efficiency, none hidden", "all hidden")
    print_table(title, columns, rows)
