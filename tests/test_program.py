import jax
import jax.numpy as jnp
import pytest

from vidjax.program import operations


def names(fn, *args):
    return [(op.primitive, op.repeats) for op in operations(jax.make_jaxpr(fn)(*args))]


def test_nested_programs_are_entered_and_loops_multiplied():
    x = jnp.ones((3, 3))

    @jax.jit
    def product(a):
        return a @ a

    @jax.checkpoint
    def kept(a):
        return jnp.sin(product(a))

    @jax.custom_vjp
    def custom(a):
        return jnp.tanh(a)

    custom.defvjp(lambda a: (custom(a), a), lambda a, g: (g,))

    def scanned(a):
        def body(carry, _):
            return jax.lax.scan(lambda c, _: (product(c), None), carry, None, length=4)[0], None

        return jax.lax.scan(body, a, None, length=5)[0]

    found = names(lambda a: custom(kept(a)) + scanned(a), x)
    assert ("dot_general", 1) in found
    assert ("dot_general", 20) in found
    assert ("sin", 1) in found
    assert ("tanh", 1) in found
    assert not {"pjit", "jit", "scan", "remat", "custom_vjp_call"} & {name for name, _ in found}


def test_layers_are_named_by_their_modules_also_under_gradients():
    from vidjax.models.blocks import BasicBlock

    module = BasicBlock(4)
    x = jnp.ones((1, 2, 4, 4, 4))
    variables = module.init(jax.random.key(0), x, train=False)

    def loss(v):
        return module.apply(v, x, train=False).sum()

    layers = {op.layer for op in operations(jax.make_jaxpr(jax.grad(loss))(variables))}
    assert {"BasicBlock/conv1", "BasicBlock/norm2"} <= layers
    assert not any("(" in layer or "." in layer for layer in layers)


def test_both_branches_of_a_choice_are_read():
    found = names(lambda a: jax.lax.cond(a.sum() > 0, jnp.sin, jnp.cos, a), jnp.ones(3))
    assert {("sin", 1), ("cos", 1)} <= set(found)


@pytest.mark.parametrize("length", [1, 7])
def test_an_empty_program_has_no_operations(length):
    assert names(lambda a: a, jnp.ones(length)) == []
