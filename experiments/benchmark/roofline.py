"""Predicts the time of a training step on an accelerator, to compare the first real run with.

Each convolution or matrix product, in bfloat16, takes the larger of two times: operations divided
by the peak rate, and bytes divided by the memory bandwidth. A backward pass has two such products
for each product of the forward pass. The sum is a lower bound for programs that compute these
products one by one. Channel-wise convolutions cannot use the matrix unit, so they get the rate of
the vector unit. The expected time is longer for two reasons. Products with few channels do not fill
the matrix unit. And norms read the result of each product twice and write it once in the forward
pass; in the backward pass they read two arrays twice and write one.

The table also has JAX's own count of operations and bytes for the step before compilation.

Example:
  vidjax benchmark roofline --machines=v5e,h100
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from absl import flags

import vidjax
from vidjax.evaluation.cost import multiply_adds
from vidjax.layers.lowering import force_lowering
from vidjax.run.state import TrainState
from vidjax.terminal import complain, say
from vidjax.training.step import Step

from .accelerator_jobs import NETWORKS
from .flops_and_bytes import TRAINING, array_bytes, forward_products
from .machine import versions
from .timing import print_table

_MODELS = flags.DEFINE_list(
    "models",
    ["r3d_50", "r2plus1d_34", "slowfast_50", "x3d_m", "ir_csn_101", "mtnet_m"],
    "NETWORK,...: Networks to predict.",
)
_MACHINES = flags.DEFINE_list("machines", ["v5e", "h100"], "CHIP,...: Accelerators to predict for.")
_COUNT = flags.DEFINE_bool("count", True, "Adds JAX's own count, which traces the step.")
# Arrays as large as a product's result that norms and activations move: forward + backward.
_MOVED = 3 + 5


@dataclass(frozen=True)
class Chip:
    """An accelerator, according to its maker.

    Attributes:
      tflops: peak bfloat16 rate of the matrix unit in 10^12 operations per second.
      vector: the same for the vector unit, which computes everything else.
      bandwidth: GB/s of its memory.
      channels: output channels that fill the matrix unit; fewer leave a part of it idle.
      source: origin of the numbers.
    """

    tflops: float
    vector: float
    bandwidth: float
    channels: int
    source: str


CHIPS = {
    # The vector rate is not published; this guess is 8 x 128 lanes with 4 units each at 1.5 GHz.
    "v5e": Chip(197, 6.1, 819, 128, "Google Cloud, TPU v5e; its vector unit is a guess"),
    "h100": Chip(989, 67, 3350, 64, "NVIDIA, H100 SXM, dense"),
}
ASKED = ("network", "batch x clip", "TFLOP per step", "GB per step", "JAX: TFLOP", "JAX: GB")
PREDICTED = (
    "network", "chip", "at least, ms", "expected, ms", "clips/s expected", "of peak",
    "memory bound",
)  # fmt: skip


@dataclass(frozen=True)
class Product:
    """A convolution or matrix product of a forward pass.

    Attributes:
      macs: number of multiply-adds.
      traffic: bytes that it reads and writes.
      result: bytes that it writes.
      outputs: output channels.
      channelwise: whether it is a channel-wise convolution.
    """

    macs: int
    traffic: int
    result: int
    outputs: int
    channelwise: bool

    def bound(self, chip: Chip) -> float:
        """Returns the lower bound of its time in seconds."""
        rate = chip.vector if self.channelwise else chip.tflops
        return max(2 * self.macs / (1e12 * rate), self.traffic / (1e9 * chip.bandwidth))

    def expected(self, chip: Chip) -> float:
        """Returns the expected seconds in training, with norms and with idle matrix units."""
        full = -(-self.outputs // chip.channels) * chip.channels
        fill = 1.0 if self.channelwise else self.outputs / full
        rate = (chip.vector if self.channelwise else chip.tflops) * fill
        product = max(2 * self.macs / (1e12 * rate), self.traffic / (1e9 * chip.bandwidth))
        return TRAINING * product + _MOVED * self.result / (1e9 * chip.bandwidth)


def products(model: Any, shape: tuple[int, ...]) -> list[Product]:
    """Lists the products of a network's forward pass on clips `[B, T, H, W, 3]`."""
    found = []
    for each in forward_products(model, shape):
        groups = int(each.params.get("feature_group_count", 1))
        outputs = each.outputs[0].shape[-1]
        found.append(
            Product(
                multiply_adds(each),
                array_bytes([*each.inputs, *each.outputs]),
                array_bytes(each.outputs),
                outputs,
                channelwise=groups == outputs > 1,
            )
        )
    return found


def main(arguments: Sequence[str]) -> None:
    """Prints the predictions for each network on each chip.

    Raises:
      ValueError: a network or chip is unknown.
    """
    del arguments
    for flag, known in (("models", NETWORKS), ("machines", CHIPS)):
        for name in flags.FLAGS[flag].value:
            if name not in known:
                raise ValueError(f"--{flag}={name}: must be one of {', '.join(known)}")
    asked, predicted = list[tuple[str, ...]](), list[tuple[str, ...]]()
    for name in _MODELS.value:
        batch, text = NETWORKS[name]
        shape = (batch, *map(int, text.split(",")), 3)
        model = vidjax.create_model(name, dtype=jnp.bfloat16)
        found = products(model, shape)
        counted = _counted(model, shape) if _COUNT.value else ("-", "-")
        sizes = (f"{_operations(found) / 1e12:.2f}", f"{_moved(found) / 1e9:.1f}")
        asked.append((name, f"{batch} x {text.replace(',', 'x')}", *sizes, *counted))
        for chip in _MACHINES.value:
            predicted.append((name, chip, *_predicted(found, CHIPS[chip], batch)))
            complain("  ".join(predicted[-1]))
    say(versions(), *(f"{name}: {CHIPS[name].source}" for name in _MACHINES.value))
    print_table("operations and traffic of a training step in bfloat16", ASKED, asked)
    print_table("predictions, without running on the chips", PREDICTED, predicted)


def _operations(found: Sequence[Product]) -> int:
    return 2 * TRAINING * sum(each.macs for each in found)


def _moved(found: Sequence[Product]) -> int:
    """Returns the bytes that a training step moves, including those of norms."""
    return sum(TRAINING * each.traffic + _MOVED * each.result for each in found)


def _predicted(found: Sequence[Product], chip: Chip, batch: int) -> tuple[str, ...]:
    least = TRAINING * sum(each.bound(chip) for each in found)
    expected = sum(each.expected(chip) for each in found)
    slow = sum(
        TRAINING * each.bound(chip)
        for each in found
        if each.traffic / (1e9 * chip.bandwidth) >= each.bound(chip)
    )
    return (
        f"{1e3 * least:.1f}",
        f"{1e3 * expected:.1f}",
        f"{batch / expected:.0f}",
        f"{_operations(found) / expected / (1e12 * chip.tflops):.0%}",
        f"{slow / least:.0%}",
    )


def _counted(model: Any, shape: tuple[int, ...]) -> tuple[str, str]:
    """Returns JAX's own count for the training step before XLA fuses it: TFLOP and GB."""
    optimizer = optax.sgd(0.01, momentum=0.9)
    step = Step(model, optimizer, mean=(0.45,) * 3, std=(0.225,) * 3)
    batch = {
        "clip": jax.ShapeDtypeStruct(shape, jnp.uint8),
        "label": jax.ShapeDtypeStruct(shape[:1], jnp.int32),
        "mask": jax.ShapeDtypeStruct(shape[:1], jnp.bool_),
    }
    clip = jax.ShapeDtypeStruct(shape, jnp.float32)

    def state(x: jax.Array) -> TrainState:
        variables = model.init(jax.random.key(0), x, train=False)
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            params=variables["params"],
            batch_stats=variables["batch_stats"],
            opt_state=optimizer.init(variables["params"]),
            ema=None,
            seed=jax.random.key_data(jax.random.key(2)),
        )

    with force_lowering("lax"):
        found = jax.jit(step).lower(jax.eval_shape(state, clip), batch).cost_analysis() or {}
    flops, moved = found.get("flops", 0.0), found.get("bytes accessed", 0.0)
    return f"{flops / 1e12:.2f}", f"{moved / 1e9:.1f}"
