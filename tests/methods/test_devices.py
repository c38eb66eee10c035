"""Tests that draws and choices of methods are the same on 8 simulated devices."""

import json
import textwrap

import pytest

from tests.commands import run_code

PROGRAM = textwrap.dedent(
    """
    import functools, json
    import jax
    jax.config.update("jax_num_cpu_devices", 8)
    import jax.numpy as jnp, numpy as np
    from jax.sharding import NamedSharding, PartitionSpec as P
    from vidjax.methods.class_regularization import ClassRegularization
    from vidjax.methods.cutmix import cutmix
    from vidjax.methods.mixup import mixup
    from vidjax.methods.random_mean_scaling import RandomScaling
    from vidjax.methods.residual_drop import RandomDrop, ShakeDrop
    from vidjax.training.mixing import Mixing

    rng = np.random.default_rng(0)
    clip = np.float32(rng.normal(size=(16, 2, 6, 6, 4)))
    ones = np.ones_like(clip)
    pixels = rng.integers(0, 255, (16, 2, 6, 6, 3), dtype=np.uint8)
    targets, mask = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 16)], np.arange(16) != 3
    rows = np.float32(rng.normal(size=(5, 3)))
    mapping = np.float32(rng.normal(size=(5, 4)))

    def noisy(module, x):
        rngs = {"noise": jax.random.key(7)}
        return module.apply({}, x, train=True, rngs=rngs)

    def regularised(level, x):
        module = ClassRegularization(0.3, level=level)
        params = {"params": {"class_reg": {"kernel": mapping}}}
        return module.apply(params, x, rows, mutable=["intermediates"])

    cases = {
        "alpha of each clip": (lambda x: noisy(RandomScaling("input"), x), (ones,)),
        "random mean scaling": (lambda x: noisy(RandomScaling(), x), (clip,)),
        "gaussian": (lambda x: noisy(RandomScaling(low_pass="gaussian"), x), (clip,)),
        "random drop": (lambda x: noisy(RandomDrop(1.0, level="clip"), x), (clip,)),
        "shake drop": (lambda x: noisy(ShakeDrop(1.0, alpha=(-1.0, 1.0)), x), (clip,)),
        "cutmix": (functools.partial(cutmix, jax.random.key(2)), (pixels, targets, mask)),
        "mixup": (functools.partial(mixup, jax.random.key(2)), (pixels, targets, mask)),
        "either": (functools.partial(Mixing(1.0, 1.0), jax.random.key(2)), (pixels, targets, mask)),
        "class by clip": (functools.partial(regularised, "sample"), (clip,)),
        "class by batch": (functools.partial(regularised, "batch"), (clip,)),
    }
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    split = NamedSharding(mesh, P("data"))
    for name, (function, arrays) in cases.items():
        one = jax.tree.leaves(jax.jit(function)(*arrays))
        many = jax.tree.leaves(jax.jit(function)(*(jax.device_put(a, split) for a in arrays)))
        print(json.dumps({
            "name": name,
            "devices": len(many[0].sharding.device_set),
            "distance": max(
                float(np.abs(np.float64(a) - np.float64(b)).max()) for a, b in zip(one, many)
            ),
            "values": len(np.unique(np.asarray(one[0]).reshape(16, -1)[:, 0])),
        }))
    """
)
EXACT = ("alpha of each clip", "random drop", "cutmix", "mixup", "either")


@pytest.fixture(scope="module")
def results():
    done = run_code(PROGRAM)
    assert done.returncode == 0, done.stderr[-3000:]
    return {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}


def test_draws_and_choices_on_eight_devices_equal_those_on_one(results):
    assert len(results) == 10
    for name, row in results.items():
        assert row["devices"] == 8, name
        assert row["distance"] <= (0 if name in EXACT else 1e-5), name


def test_every_clip_has_its_own_alpha_on_any_device(results):
    assert results["alpha of each clip"]["values"] == 16
