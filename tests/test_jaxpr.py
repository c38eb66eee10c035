"""Tests that traced programs are read correctly, and unknown notations are refused."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from vidjax import jaxpr
from vidjax.program import evaluate, read_program


def equation(function, *arguments):
    """Returns the only equation of a function."""
    (found,) = jaxpr.opened(jaxpr.trace(function, *arguments))[0].eqns
    return found


def loop(factor, start, offset, rows):
    """Returns a scan with two constants, one carried value and two inputs per iteration."""

    def body(state, own):
        row, number = own
        return state * factor + row * number + offset, (state.sum(), row)

    return lax.scan(body, start, (rows, jnp.arange(4.0)), reverse=True)


ARGUMENTS = (jnp.full(3, 0.5), jnp.arange(3.0), jnp.ones(3), jnp.arange(12.0).reshape(4, 3))


def scan():
    return jaxpr.opened(jaxpr.trace(loop, *ARGUMENTS))[0].eqns[-1]


def test_constants_and_state_of_a_loop_are_distinguished():
    found = jaxpr.loop(scan())
    assert (found.length, found.reverse, found.consts, found.carry) == (4, True, 2, 1)
    body, _ = jaxpr.opened(found.body)
    assert [var.aval.shape for var in body.invars] == [(3,), (3,), (3,), (3,), ()]


@pytest.mark.parametrize("of", ["values", "gradients"])
@pytest.mark.parametrize("forms", [{}, {"mul": lax.mul_p.bind}], ids=["whole", "unrolled"])
def test_loops_are_unrolled_to_the_same_numbers(of, forms):
    def total(*arguments):
        end, (sums, rows) = loop(*arguments)
        return jnp.sin(end).sum() + (sums**2).sum() + (rows * end).sum()

    function = loop if of == "values" else jax.grad(total, (0, 1, 2, 3))
    program = read_program(function, *ARGUMENTS)
    assert "scan" not in {step.primitive for step in program.operations}
    given = dict(zip(program.inputs, ARGUMENTS, strict=True))
    run = jax.jit(lambda: evaluate(program, given, program.outputs, forms))
    # Loops are kept if none of their operations is replaced.
    assert ("scan" in str(jax.make_jaxpr(run)())) == (not forms)
    for one, other in zip(run(), jax.tree.leaves(function(*ARGUMENTS)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize(
    "call",
    [jax.jit, jax.checkpoint, jax.custom_jvp, jax.custom_vjp],
    ids=lambda call: call.__name__,
)
def test_calls_have_a_body(call):
    called = call(lambda x: jnp.sin(x) * 2)
    if call is jax.custom_jvp:
        called.defjvp(lambda x, t: (called(*x), t[0]))
    if call is jax.custom_vjp:
        called.defvjp(lambda x: (called(x), x), lambda x, g: (g,))
    body, consts = jaxpr.opened(jaxpr.called(equation(called, jnp.ones(3))))
    assert [each.primitive.name for each in body.eqns] == ["sin", "mul"]
    assert len(consts) == len(body.constvars)


def test_other_equations_have_no_body():
    assert jaxpr.called(equation(jnp.sin, 1.0)) is None
    largest = equation(lambda x: lax.reduce(x, -jnp.inf, lambda a, b: a * b + a, (0,)), jnp.ones(3))
    assert jaxpr.called(largest) is None


def without(written, *names, **others):
    """Returns an equation as another version of JAX might write it."""
    kept = {name: value for name, value in written.params.items() if name not in names}
    return written.replace(params={**kept, **others})


@pytest.mark.parametrize(
    ("read", "written"),
    [
        (jaxpr.loop, lambda: without(scan(), "ft_in", "num_consts")),
        (jaxpr.loop, lambda: without(scan(), "length")),
        (jaxpr.loop, lambda: without(scan(), "ft_in", num_consts=1, num_carry=1)),
        (jaxpr.loop, lambda: without(scan(), "ft_in", num_consts=2, num_carry=2)),
        (jaxpr.loop, lambda: without(scan(), ft_in=(2, 1, 2))),
        (jaxpr.called, lambda: without(equation(jax.jit(jnp.sin), 1.0), "jaxpr")),
        (jaxpr.branches, scan),
        (jaxpr.name_stack, object),
        (jaxpr.opened, object),
    ],
)
def test_unknown_notations_are_refused_with_the_version_of_jax(read, written):
    line = re.escape(f"JAX {jax.__version__}") + " represents `.*` in a way unknown to vidjax, .*"
    with pytest.raises(jaxpr.UnknownJaxprError) as told:
        read(written())
    assert re.fullmatch(line, str(told.value))
