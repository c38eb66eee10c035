"""Tests gradients with every setting of every method, against finite differences in float64.

The settings are read from the methods' tables, so a new one needs a value here.
"""

import functools
import zlib
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.quickly import quickly
from vidjax.layers.lowering import force_lowering
from vidjax.layers.recurrence import CELLS
from vidjax.methods import (
    class_regularization,
    multi_temporal,
    random_mean_scaling,
    residual_drop,
    temporal_gates,
)
from vidjax.methods.class_regularization import ClassRegularization
from vidjax.methods.multi_temporal import MTConv
from vidjax.methods.random_mean_scaling import RandomScaling
from vidjax.methods.residual_drop import RandomDrop, ShakeDrop
from vidjax.methods.temporal_gates import TemporalGate

X = np.random.default_rng(0).normal(size=(2, 4, 5, 4, 6))
RNGS = {"noise": jax.random.key(3)}
GAUSSIAN = {"low_pass": "gaussian"}
SCALINGS = [
    *({"border": border} for border in ("clip", "zero", "replicate")),
    *({"target": target} for target in ("mean", "input", "residual")),
    *({"border": "replicate", "target": "residual", **own} for own in ({}, GAUSSIAN)),
    {"border": "zero", **GAUSSIAN, "std": 1.5},
    {"window": (1, 5, 3), "border": "replicate"},
    {"distribution": ("uniform", -0.5, 2.5)},
]
GATES = [
    *({"cell": cell} for cell in CELLS),
    {"layers": 1, "fuse": "add"},
    {"states": "averaged"},
    *({"states": "learned", "fuse": fuse} for fuse in ("multiply", "add")),
    {"gate": "hard", "gate_warmup_steps": 5},
    {"gate": "hard", "match": "nearest", "combine": "or"},
    {"gate": "hard", "distance": "mean", "temperature": 0.01, "combine": "or"},
]
CONVOLUTIONS = [
    {},
    {"delta": 1},
    {"delta": 0.5, "split_input": False},
    *({"delta": 0.5, "pool": pool} for pool in ("average", "max", "stochastic")),
    {"delta": 0.5, "frames": "pooled"},
    {"delta": 0.5, "kernels": "factorised", "choose": "highest", "squared": True},
    {"delta": 0.5, "kernels": "depthwise", "choose": "strided"},
    {"delta": 0.5, "edge": "single", "odd": "replicate"},
    {"delta": 0.5, "lateral_from": "convolution", "share_norm": True, "activate": "sum"},
]
REGULARIZATIONS = [
    *({"bounds": bounds} for bounds in ("symmetric", "unit", "printed")),
    *({"affection": rate} for rate in (0.0, 0.3)),
    {"relu": False},
    {"level": "batch", "bias": True},
    {"match": "max"},
    # The smallest difference draws another random class; test_random_class.py tests those.
    {"row": "guess"},
]
DROPS = [
    *((RandomDrop, {"level": level}) for level in residual_drop.LEVELS),
    (RandomDrop, {"last": 0.8}),
    # Only if both factors are one, a branch has the gradient of its output.
    *((ShakeDrop, {"level": level, "alpha": (0.4, 0.4)}) for level in residual_drop.LEVELS),
    (ShakeDrop, {"last": 0.2, "alpha": (-0.7, -0.7)}),
]


def derivatives(apply, variables, x):
    """Returns directional derivatives by gradient and by finite differences."""
    rng = np.random.default_rng(zlib.crc32(repr(apply).encode()) % 1000)
    weights = jnp.asarray(rng.normal(size=jax.eval_shape(apply, variables, x).shape))
    given = (variables.get("params", {}), x)
    ahead = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), given)

    def total(params, x):
        return jnp.sum(weights * apply({**variables, "params": params}, x))

    @quickly
    def both(given, ahead):
        step = 1e-6

        def end(step):
            return total(*jax.tree.map(lambda leaf, way: leaf + step * way, given, ahead))

        slopes = jax.tree.map(lambda a, b: jnp.sum(a * b), jax.grad(total, (0, 1))(*given), ahead)
        return sum(jax.tree.leaves(slopes)), (end(step) - end(-step)) / (2 * step)

    with force_lowering("lax"):
        return tuple(map(float, both(given, ahead)))


def check(module, *more, train=True):
    # Layers that always compute in float32, such as norms, compute in float64 here.
    with jax.enable_x64(True), mock.patch.object(jnp, "float32", jnp.float64):
        x = jnp.asarray(X)
        more = tuple(jnp.asarray(array) for array in more)
        init = functools.partial(module.init, train=False)
        with force_lowering("lax"):
            shapes = jax.eval_shape(init, jax.random.key(0), x, *more)
        rng = np.random.default_rng(1)
        variables = jax.tree.map(
            lambda leaf: jnp.asarray(0.5 * rng.normal(size=leaf.shape)), dict(shapes)
        )

        def apply(variables, x):
            state = {"rngs": RNGS, "mutable": ["batch_stats", "intermediates"]}
            return module.apply(variables, x, *more, train=train, **state)[0]

        gradient, difference = derivatives(apply, variables, x)
    assert abs(difference) > 1e-6
    assert gradient == pytest.approx(difference, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("settings", SCALINGS, ids=str)
def test_random_scaling(settings):
    check(RandomScaling(**settings))


@pytest.mark.parametrize("settings", GATES, ids=str)
def test_temporal_gates(settings):
    check(TemporalGate(**settings))


@pytest.mark.parametrize("settings", CONVOLUTIONS, ids=str)
def test_multi_temporal_convolutions(settings):
    check(MTConv(6, **settings))


@pytest.mark.parametrize("settings", REGULARIZATIONS, ids=str)
def test_class_regularization(settings):
    classifier = np.random.default_rng(4).normal(size=(7, 5))
    check(ClassRegularization(**settings), classifier)


@pytest.mark.parametrize(("drop", "settings"), DROPS, ids=str)
@pytest.mark.parametrize("train", [True, False])
def test_drops(drop, settings, train):
    more = {"beta": settings["alpha"]} if "alpha" in settings else {}
    check(drop(0.6, **settings, **more), train=train)


@pytest.mark.parametrize(
    ("tables", "tried"),
    [
        (random_mean_scaling, SCALINGS),
        (temporal_gates, GATES),
        (multi_temporal, CONVOLUTIONS),
        (class_regularization, REGULARIZATIONS),
        (residual_drop, [{**settings, "beta": 0} for _, settings in DROPS]),
    ],
)
def test_every_setting_is_tried(tables, tried):
    assert {name for settings in tried for name in settings} == set(tables.SETTINGS)
