"""Initial weights drawn one by one are those that one compiled program draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vidjax
from vidjax.layers.lowering import force_lowering
from vidjax.run import weight_init
from vidjax.run.weight_init import init_op_by_op


def init_of(name, depths):
    model = vidjax.create_model(name, num_classes=3, width=8, depths=depths)

    def init(key):
        with force_lowering("lax"):
            variables = model.init(key, jnp.zeros((1, 4, 32, 32, 3)), train=False)
        return {"variables": variables, "average": variables["params"]}

    return init


@pytest.mark.parametrize("name", ["r3d_18", "mtnet_s"])
def test_weights_are_those_of_one_program(name):
    init, key = init_of(name, (1, 0, 0, 1)), jax.random.key(3)
    one_by_one, together = init_op_by_op(init, key), jax.jit(init)(key)
    assert jax.tree.structure(one_by_one) == jax.tree.structure(together)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7), one_by_one, together
    )


def test_no_two_arrays_share_their_memory():
    leaves = jax.tree.leaves(init_op_by_op(init_of("r3d_18", (1, 0, 0, 0)), jax.random.key(0)))
    assert len({leaf.unsafe_buffer_pointer() for leaf in leaves}) == len(leaves)


def test_draws_of_a_shape_are_compiled_once(monkeypatch):
    jit, compiled = jax.jit, []

    def spy(function, **options):
        compiled.append(function)
        return jit(function, **options)

    def count(last):
        compiled.clear()
        init = init_of("r3d_18", (1, 0, 0, last))
        with monkeypatch.context() as patch:
            patch.setattr(weight_init.jax, "jit", spy)
            init_op_by_op(init, jax.random.key(0))
        return len(compiled)

    assert 0 < count(2) == count(4)
