"""Tests the norms of R(2+1)D, whose epsilon differs between projects, in NumPy."""

import flax.linen as nn
import jax
import numpy as np
import pytest

import vidjax
from vidjax.layers.norm import BatchNorm


def normed(model, clip):
    """Returns path, input, output and variables of each norm in an evaluation."""
    found = []

    def note(call, args, kwargs, context):
        y = call(*args, **kwargs)
        if isinstance(context.module, BatchNorm) and context.method_name == "__call__":
            found.append((context.module.path, args[0], y, context.module.variables))
        return y

    variables = model.init(jax.random.key(0), clip, train=False)
    # Small variances make the epsilon visible.
    small = jax.tree.map(lambda var: 0 * var + 1e-4, variables["batch_stats"])
    with nn.intercept_methods(note):
        model.apply({**variables, "batch_stats": small}, clip, train=False)
    return found


@pytest.mark.parametrize(
    ("options", "between", "elsewhere"),
    [
        ({"variant": "mmaction2"}, 1e-5, 1e-3),
        ({"variant": "mmaction2", "norm_epsilon": 0.01}, 0.01, 0.01),
        ({}, 1e-3, 1e-3),
    ],
    ids=["mmaction2", "given", "tran"],
)
def test_norms_between_the_parts_of_a_convolution_have_an_epsilon_of_their_own(
    options, between, elsewhere
):
    shape = {"width": 4, "depths": (1, 1, 0, 0)}
    model = vidjax.create_model("r2plus1d_34", num_classes=3, **shape, **options)
    clip = np.random.default_rng(0).normal(size=(1, 2, 16, 16, 3)).astype(np.float32)
    found = normed(model, clip)
    inner = [path for path, *_ in found if path[-2].startswith("conv")]
    assert len(inner) >= 5
    assert len(inner) < len(found)
    for path, x, y, variables in found:
        epsilon = between if path in inner else elsewhere
        scale, bias = variables["params"]["scale"], variables["params"]["bias"]
        mean, var = variables["batch_stats"]["mean"], variables["batch_stats"]["var"]
        expected = (np.asarray(x) - mean) / np.sqrt(np.asarray(var) + epsilon) * scale + bias
        np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4, err_msg="/".join(path))
