"""Tests that a step on 8 simulated devices equals the step on one, in a separate process."""

import json
import textwrap
import types

import pytest

from tests.commands import run_code
from vidjax.run import sharding
from vidjax.run.config import ConfigError
from vidjax.run.setting_groups import MeshConfig

PROGRAM = textwrap.dedent(
    """
    import functools, json, sys
    import jax
    jax.config.update("jax_num_cpu_devices", 8)
    import flax.linen as nn, numpy as np, optax
    from tests.quickly import UNOPTIMIZED
    from vidjax.evaluation.collectives import collectives
    from vidjax.layers.conv import Conv
    from vidjax.layers.norm import BatchNorm
    from vidjax.layers.pooling import global_avg_pool, max_pool
    from vidjax.run import sharding
    from vidjax.run.setting_groups import MeshConfig
    from vidjax.run.state import init_state
    from vidjax.training.gradient_squares import sums_of_squares
    from vidjax.training.step import Step

    sharding._SMALLEST_SPLIT = 64

    def batch(size, frames, side):
        rng = np.random.default_rng(size)
        return {
            "clip": rng.integers(0, 255, (size, frames, side, side, 3), dtype=np.uint8),
            "label": rng.integers(0, 3, size).astype(np.int32),
            "mask": np.arange(size) != size - 2,
        }

    class Small(nn.Module):
        group: int | None = None
        num_classes: int = 3

        @nn.compact
        def __call__(self, x, *, train):
            x = Conv(16, (3, 5, 5), (1, 2, 2))(x)
            x = nn.relu(BatchNorm(group_size=self.group)(x, train=train))
            x = max_pool(x, (3, 3, 3), (2, 2, 2))
            x = nn.relu(BatchNorm(group_size=self.group)(Conv(16)(x), train=train))
            return nn.Dense(3)(global_avg_pool(x))

    SHAPES = {"base": [(8, 4, 16)] * 2, "grid": [(32, 2, 12), (16, 4, 12), (16, 4, 16)]}

    def run(mesh, group=None, accumulate=1, shapes="base"):
        model = Small(group)
        optimizer = optax.sgd(0.1, momentum=0.9)
        state, shardings = init_state(
            model, optimizer, (1, 4, 16, 16, 3), seed=0, ema=True, mesh=mesh)
        step = Step(model, optimizer, (0.4,) * 3, (0.2,) * 3, accumulate=accumulate, ema=0.9)
        compiled = jax.jit(step, donate_argnums=0,
                           out_shardings=(shardings, sharding.replicated(mesh)),
                           compiler_options=UNOPTIMIZED)
        for shape in SHAPES[shapes]:
            state, metrics = compiled(state, sharding.to_devices(batch(*shape), mesh))
        split = sum(not leaf.sharding.is_fully_replicated for leaf in jax.tree.leaves(state.params))
        return jax.tree.map(np.asarray, (state, metrics)), split

    def distance(a, b):
        pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
        return max(float(np.abs(np.float64(x) - np.float64(y)).max() / (np.abs(x).max() + 1e-3))
                   for x, y in pairs)

    one = jax.make_mesh((1, 1), ("data", "fsdp"), axis_types=(jax.sharding.AxisType.Auto,) * 2,
                        devices=jax.devices()[:1])
    alone = functools.cache(lambda *how: run(one, *how)[0])
    for name, mesh, *how in json.loads(sys.argv[1]):
        result, split = run(sharding.make_mesh(MeshConfig(*mesh)), *how)
        print(json.dumps({
            "name": name,
            "split": split,
            "distance": distance(alone(*how), result),
            "apart": distance(alone(), result) if how[0] else None,
        }))

    mesh = sharding.make_mesh(MeshConfig(2, 4))
    where = sharding.state_shardings(jax.ShapeDtypeStruct((3, 4, 8, 16), "float32"), mesh)
    values = np.random.default_rng(0).normal(size=(3, 4, 8, 16)).astype(np.float32)
    pair = [jax.device_put(values, where), jax.device_put(2 * values, where)]
    squares = jax.jit(sums_of_squares).lower(pair).compile()
    expected = np.array([1, 4]) * (values.astype(np.float64) ** 2).sum()
    print(json.dumps({
        "name": "squares",
        "error": float(abs(np.asarray(squares(pair)) / expected - 1).max()),
        "exchanges": [(one.kind, one.size, one.group) for one in collectives(squares.as_text())],
    }))
    """
)
# Name, mesh, clips that share statistics, accumulated parts, and batch shapes.
CASES = [
    ("data", (-1, 1), None, 1, "base"),
    ("fsdp", (1, 8), None, 1, "base"),
    ("mixed", (2, 4), None, 1, "base"),
    ("mixed, in parts", (4, 2), None, 2, "grid"),
    ("per device", (8, 1), 1, 1, "base"),
    ("per device, mixed", (2, 4), 1, 1, "base"),
]


@pytest.fixture(scope="module")
def results():
    done = run_code(PROGRAM, json.dumps(CASES))
    assert done.returncode == 0, done.stderr[-3000:]
    return {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize(("name", "split"), [(case[0], 2 * (case[1][1] > 1)) for case in CASES])
def test_eight_devices_compute_the_same_as_one(results, name, split):
    assert results[name]["distance"] < 2e-3
    assert results[name]["split"] == split


def test_the_gradient_norm_sends_scalars_not_gradients(results):
    assert results["squares"]["exchanges"] == [["all-reduce", 8, 4]], "two numbers"
    assert results["squares"]["error"] < 1e-5


@pytest.mark.parametrize("name", ["per device", "per device, mixed"])
def test_statistics_per_device_change_the_result(results, name):
    assert results[name]["apart"] > 2e-2


def test_an_indivisible_batch_is_refused_with_the_sizes_that_fit():
    mesh = types.SimpleNamespace(size=8)
    sharding.check_batch("train.batch_size", 16, mesh)
    with pytest.raises(ConfigError, match="train.batch_size = 12 is not divisible by 8 devices"):
        sharding.check_batch("train.batch_size", 12, mesh)
    with pytest.raises(ConfigError, match="use 8 or 16"):
        sharding.check_batch("train.batch_size", 12, mesh)
    with pytest.raises(ConfigError, match="use 8$"):
        sharding.check_batch("eval.batch_size", 3, mesh)


def test_a_mesh_that_does_not_fit_the_devices_is_named():
    with pytest.raises(ConfigError, match="mesh.data = 3 by mesh.fsdp = 5 does not fit"):
        sharding.make_mesh(MeshConfig(3, 5))
