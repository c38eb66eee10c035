"""Tests that weights drawn array by array equal those of separately compiled operations."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.extend.core import Literal, jaxpr_as_fun

import vidjax
from vidjax.fast_compilation import FAST_COMPILE
from vidjax.layers.lowering import force_lowering
from vidjax.run import weight_init
from vidjax.run.weight_init import init_by_array


def init_of(name, depths):
    model = vidjax.create_model(name, num_classes=3, width=8, depths=depths)

    def init(key):
        with force_lowering("lax"):
            variables = model.init(key, jnp.zeros((1, 4, 32, 32, 3)), train=False)
        params = variables["params"]
        return {"variables": variables, "average": params, "optimizer": optax.adam(1).init(params)}

    return init


def each_alone(init, key):
    """Evaluates the program of `init` one operation at a time."""
    program = jax.make_jaxpr(init)(key)
    known = dict(zip(program.jaxpr.invars, [key], strict=True))
    known.update(zip(program.jaxpr.constvars, program.consts, strict=True))

    def value(atom):
        return atom.val if isinstance(atom, Literal) else known.get(atom)

    for operation in program.jaxpr.eqns:
        given = [value(atom) for atom in operation.invars]
        # The forward pass, on which no weight depends.
        if operation.primitive.name.startswith(("conv", "custom", "dot", "reduce", "scan")):
            continue
        if any(each is None for each in given):
            continue
        inner = operation.params.get("jaxpr")
        if operation.primitive.name in ("jit", "pjit"):
            found = jax.jit(jaxpr_as_fun(inner), compiler_options=FAST_COMPILE)(*given)
        else:
            found = operation.primitive.bind(*given, **operation.params)
            found = found if operation.primitive.multiple_results else [found]
        known.update(zip(operation.outvars, found, strict=True))
    return [value(atom) for atom in program.jaxpr.outvars]


@pytest.mark.parametrize("name", ["r3d_18", "mtnet_s"])
def test_weights_equal_those_of_separate_operations_to_the_bit(name):
    init, key = init_of(name, (1, 0, 0, 1)), jax.random.key(3)
    found, expected = jax.tree.leaves(init_by_array(init, key)), each_alone(init, key)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == jnp.asarray(other).dtype
        np.testing.assert_array_equal(one, other)


def test_weights_are_close_to_those_of_one_program():
    init, key = init_of("r3d_18", (1, 0, 0, 1)), jax.random.key(3)
    found, together = init_by_array(init, key), jax.jit(init)(key)
    assert jax.tree.structure(found) == jax.tree.structure(together)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7), found, together
    )


def test_no_two_arrays_share_their_memory():
    leaves = jax.tree.leaves(init_by_array(init_of("r3d_18", (1, 0, 0, 0)), jax.random.key(0)))
    assert len({leaf.unsafe_buffer_pointer() for leaf in leaves}) == len(leaves)


def test_inputs_and_constants_need_no_program(monkeypatch):
    def init(key):
        return {"key": key, "same": key, "zeros": jnp.zeros((2, 3)), "one": jnp.int32(1)}

    monkeypatch.setattr(weight_init.jax, "jit", None)
    found = init_by_array(init, jax.random.key(1))
    assert (found["key"] == found["same"]).all()
    np.testing.assert_array_equal(found["zeros"], np.zeros((2, 3), np.float32))
    assert found["one"] == 1
    assert found["one"].dtype == jnp.int32


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
            init_by_array(init, jax.random.key(0))
        return len(compiled)

    assert 0 < count(2) == count(4)
