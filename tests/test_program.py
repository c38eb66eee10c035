import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vidjax.program import evaluate, read_program


def names(fn, *args):
    return [op.primitive for op in read_program(fn, *args).operations]


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
    assert found.count("dot_general") == 1 + 20
    assert found.count("sin") == found.count("tanh") == 1
    assert not {"pjit", "jit", "scan", "remat", "custom_vjp_call"} & set(found)


def test_layers_are_named_by_their_modules_also_in_gradients():
    from vidjax.models.blocks import BasicBlock

    module = BasicBlock(4)
    x = jnp.ones((1, 2, 4, 4, 4))
    variables = module.init(jax.random.key(0), x, train=False)

    def loss(v):
        return module.apply(v, x, train=False).sum()

    layers = {op.layer for op in read_program(jax.grad(loss), variables).operations}
    assert {"BasicBlock/conv1", "BasicBlock/norm2"} <= layers
    assert not any("(" in layer or "." in layer for layer in layers)


def test_both_branches_of_a_cond_are_read():
    found = names(lambda a: jax.lax.cond(a.sum() > 0, jnp.sin, jnp.cos, a), jnp.ones(3))
    assert {"sin", "cos", "select_n"} <= set(found)


@pytest.mark.parametrize("length", [1, 7])
def test_an_empty_program_has_no_operations(length):
    assert names(lambda a: a, jnp.ones(length)) == []


def looped(a, b):
    """Runs all kinds of nested programs; results depend on the order of iterations."""

    def body(carry, own):
        carry = jnp.where(carry > 2, carry * 0.5, carry + own) * 1.1
        return carry, (carry**2, jnp.sort(carry))

    end, (squares, ordered) = jax.lax.scan(body, a, b, reverse=True)
    chosen = jax.lax.switch(jnp.int32(end.sum()) % 3, [jnp.sin, jnp.cos, jax.nn.relu], end)
    return {"end": end, "squares": squares, "ordered": ordered, "chosen": chosen}


def test_a_flat_program_equals_the_function():
    a, b = jnp.arange(3.0), jnp.arange(12.0).reshape(4, 3)
    program = read_program(looped, a, b)
    given = dict(zip(program.inputs, (a, b), strict=True))
    found = evaluate(program, given, program.outputs)
    for one, other in zip(found, jax.tree.leaves(looped(a, b)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_only_requested_values_are_computed_with_replacements():
    program = read_program(lambda a, b: (jnp.sin(a) * 2, jnp.cos(b)), 1.0, 1.0)
    calls = []

    def sine(x, **params):
        calls.append(params)
        return x + 40

    first, second = program.inputs
    (result,) = evaluate(program, {first: 1.0}, program.outputs[:1], {"sin": sine})
    assert result == 82
    assert len(calls) == 1
    with pytest.raises(ValueError, match=r"the program needs an input \(\) that"):
        evaluate(program, {first: 1.0}, program.outputs)
    assert program.depending_on([second]) == {second, program.outputs[1]}


def test_a_loop_is_unrolled_if_an_inner_value_is_requested():
    def summed(a, b):
        return jax.lax.scan(lambda c, own: (jnp.tanh(c) + own, None), a, b)[0] * 2

    a, b = jnp.ones(3), jnp.arange(12.0).reshape(4, 3)
    program = read_program(summed, a, b)
    given = dict(zip(program.inputs, (a, b), strict=True))
    turns = [step.outputs[0] for step in program.operations if step.primitive == "tanh"]
    assert len(turns) == 4

    def run(*wanted):
        return lambda: evaluate(program, given, wanted)

    whole = str(jax.make_jaxpr(run(*program.outputs))())
    assert (whole.count("scan["), whole.count("tanh")) == (1, 1)
    inner = str(jax.make_jaxpr(run(*program.outputs, turns[1]))())
    assert (inner.count("scan["), inner.count("tanh")) == (0, 4)
    end, second = run(*program.outputs, turns[1])()
    np.testing.assert_allclose(end, summed(a, b), rtol=1e-6)
    np.testing.assert_allclose(second, jnp.tanh(jnp.tanh(a) + b[0]), rtol=1e-6)
    # Given an inner value, the rest is computed from it.
    (changed,) = evaluate(program, given | {turns[3]: jnp.zeros(3)}, program.outputs)
    np.testing.assert_allclose(changed, 2 * b[3], rtol=1e-6)


def test_a_call_keeps_its_custom_derivative():
    def function(x):
        return jax.nn.relu(2 * x) + jax.nn.relu6(x) ** 2

    # At 0 and at 6 the derivatives of the bodies would be one half.
    x = jnp.array([-1.0, 0.0, 1.0, 6.0])
    program = read_program(function, x)

    def flat(x):
        return evaluate(program, {program.inputs[0]: x}, program.outputs)[0].sum()

    expected = jax.grad(lambda x: function(x).sum())(x)
    assert expected[1] == 0
    np.testing.assert_array_equal(jax.grad(flat)(x), expected)
    # Values inside are still accessible.
    clipped = next(step for step in program.operations if step.primitive == "max")
    (inner,) = evaluate(program, {program.inputs[0]: x}, clipped.outputs)
    np.testing.assert_array_equal(inner, [0, 0, 2, 12])


def test_constants_appear_once():
    def resized(times):
        def function(x):
            for _ in range(times):
                x = jax.image.resize(jax.image.resize(x, (6, 6), "linear"), (3, 3), "linear")
            return x

        return function

    x = jnp.arange(9.0).reshape(3, 3)
    once, thrice = (names(resized(times), x) for times in (1, 3))
    assert once.count("iota") == thrice.count("iota") > 0
    assert thrice.count("dot_general") == 3 * once.count("dot_general")
    program = read_program(resized(3), x)
    (found,) = evaluate(program, {program.inputs[0]: x}, program.outputs)
    np.testing.assert_allclose(found, resized(3)(x), rtol=1e-6)


def test_a_while_loop_is_not_a_call_of_its_body():
    def doubled(x):
        return jax.lax.while_loop(lambda x: x.sum() < 100, lambda x: 2 * x, x)

    program = read_program(doubled, jnp.ones(3))
    assert [step.primitive for step in program.operations] == ["while"]
    (found,) = evaluate(program, {program.inputs[0]: jnp.ones(3)}, program.outputs)
    np.testing.assert_array_equal(found, doubled(jnp.ones(3)))
