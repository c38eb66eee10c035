"""The training state: everything a training step reads and writes, as one tree of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax.sharding import Mesh, Sharding

from vidjax.fast_compilation import FAST_COMPILE
from vidjax.layers.lowering import force_lowering
from vidjax.run.sharding import state_shardings
from vidjax.run.weight_init import init_by_array

Tree = Any


class TrainState(struct.PyTreeNode):
    """The state of a run.

    Attributes:
      step: number of finished steps, int32.
      params: parameters, float32.
      batch_stats: running statistics of batch norms, float32.
      opt_state: the optimiser's state.
      ema: moving average of the parameters, or None if it is off.
      seed: key data of the random stream for steps.
    """

    step: jax.Array
    params: Tree
    batch_stats: Tree
    opt_state: Tree
    ema: Tree
    seed: jax.Array

    @property
    def variables(self) -> dict[str, Tree]:
        """The variables for evaluation: with averaged parameters if there are any."""
        params = self.params if self.ema is None else self.ema
        return {"params": params, "batch_stats": self.batch_stats}


def init_state(
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    clip_shape: tuple[int, ...],
    *,
    seed: int,
    ema: bool,
    mesh: Mesh,
) -> tuple[TrainState, Tree]:
    """Makes the initial state, sharded from the start, and its shardings.

    Args:
      model: the network.
      optimizer: its optimiser.
      clip_shape: `(B, T, H, W, 3)`; B may be 1.
      seed: seed of the initialisation and of the steps' random stream.
      ema: whether to keep a moving average of the parameters.
      mesh: devices.
    """
    init = _initializer(model, optimizer, clip_shape, ema)
    like, key = _placed(init, mesh), jax.random.key(seed)
    shardings = jax.tree.map(lambda leaf: leaf.sharding, like)
    on_cpu = jax.default_backend() == "cpu"
    if on_cpu and mesh.size == 1:
        return jax.device_put(init_by_array(init, key), shardings), shardings
    made = jax.jit(init, out_shardings=shardings).lower(key)
    # It runs once, and a CPU takes minutes to optimise it, so each array is drawn by code of its
    # own.
    return made.compile(FAST_COMPILE if on_cpu else None)(key), shardings


def state_like(
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    clip_shape: tuple[int, ...],
    *,
    ema: bool,
    mesh: Mesh,
) -> Tree:
    """Returns shapes, dtypes and shardings of `init_state`, even for devices that are elsewhere."""
    return _placed(_initializer(model, optimizer, clip_shape, ema), mesh)


def _placed(init: Callable[[jax.Array], TrainState], mesh: Mesh) -> Tree:
    shapes = jax.eval_shape(init, jax.random.key(0))

    def place(leaf: jax.ShapeDtypeStruct, where: Sharding) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where)

    return jax.tree.map(place, shapes, state_shardings(shapes, mesh))


def _initializer(
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    clip_shape: tuple[int, ...],
    ema: bool,
) -> Callable[[jax.Array], TrainState]:
    # The key is an argument, so that all seeds share one cached program.
    def init(key: jax.Array) -> TrainState:
        at_init, in_steps = jax.random.split(key)
        # The forward pass is traced only for its shapes, so each operator may be one primitive.
        with force_lowering("lax"):
            variables = model.init(at_init, jnp.zeros(clip_shape), train=False)
        params = variables["params"]
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            params=params,
            batch_stats=variables.get("batch_stats", {}),
            opt_state=optimizer.init(params),
            ema=params if ema else None,
            seed=jax.random.key_data(in_steps),
        )

    return init
