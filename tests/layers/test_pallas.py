"""Tests interpreted Pallas kernels against XLA, and lowers them for other platforms."""

import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from vidjax.layers.convolution import channelwise_mosaic, channelwise_triton, pallas
from vidjax.layers.convolution.algorithm import PASSES
from vidjax.layers.convolution.problem import Problem

BODIES = {"triton": channelwise_triton, "mosaic": channelwise_mosaic}
CALLS = {"cuda": "__gpu$xla.gpu.triton", "tpu": "tpu_custom_call"}
# input, kernel, strides, padding
CASES = {
    "whole": ((2, 3, 4, 5, 6), (3, 3, 3), (1, 1, 1), ((1, 1),) * 3),
    "halved": ((1, 5, 6, 7, 6), (2, 2, 3), (2, 2, 2), ((1, 0), (0, 2), (2, 1))),
    "temporal": ((1, 7, 2, 3, 6), (5, 1, 1), (1, 1, 1), ((2, 2), (0, 0), (0, 0))),
    "spatial": ((2, 2, 7, 5, 20), (1, 3, 3), (1, 2, 2), ((0, 0), (0, 1), (1, 1))),
    "skipping": ((1, 5, 7, 8, 2), (1, 2, 2), (2, 3, 3), ((0, 0), (1, 1), (0, -1))),
    "many blocks": ((1, 3, 3, 35, 70), (2, 2, 1), (1, 1, 1), ((1, 0), (0, 1), (0, 0))),
}


def xla(x, kernel, strides, pads):
    """Convolves channel by channel with XLA, since grouped ones compile slowly on a CPU."""

    def one(x_and_kernel):
        x, kernel = (array[..., None] for array in x_and_kernel)
        numbers = ("NDHWC", "DHWIO", "NDHWC")
        return lax.conv_general_dilated(x, kernel, strides, pads, dimension_numbers=numbers)

    y = lax.map(one, (jnp.moveaxis(x, -1, 0), jnp.moveaxis(kernel, -1, 0)))
    return jnp.moveaxis(y[..., 0], 0, -1)


def arrays(case, dtype=jnp.float32):
    shape, kernel, _, _ = CASES[case]
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=shape), rng.normal(size=(*kernel, 1, shape[-1]))
    return jnp.asarray(x, dtype), jnp.asarray(kernel, dtype)


def cotangent(y):
    return jnp.cos(jnp.arange(y.size)).reshape(y.shape).astype(y.dtype)


def expected(case):
    return jax.jit(lambda x, kernel: value_and_gradients(xla, case, x, kernel))(*arrays(case))


def value_and_gradients(convolve, case, x, kernel):
    y, pull = jax.vjp(lambda x, kernel: convolve(x, kernel, *CASES[case][2:]), x, kernel)
    return y, *pull(cotangent(y))


def assert_close(ours, theirs, tolerance):
    for one, other in zip(ours, theirs, strict=True):
        scale = float(jnp.abs(other).max())
        one = one.astype(jnp.float32).reshape(other.shape)
        np.testing.assert_allclose(one / scale, other / scale, atol=tolerance)


def interpreted(body, case, dtype=jnp.float32):
    strides, pads = CASES[case][2:]

    def parts(x, kernel):
        y = body.forward(x, kernel, strides, pads, interpret=True)
        g = cotangent(y)
        return (
            y,
            body.input_gradient(x.shape, kernel, strides, pads, g, interpret=True),
            body.kernel_gradient(x, kernel.shape, strides, pads, g, interpret=True),
        )

    return quickly(parts)(*arrays(case, dtype))


def quickly(function):
    """Compiles with few optimisations, because an interpreted kernel is a long program."""
    return jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})


@pytest.fixture
def small_tiles(monkeypatch):
    """Makes tiles small, so that there are several and XLA compiles fewer multiply-adds."""
    monkeypatch.setattr(channelwise_triton, "_UNROLLED", 36)
    monkeypatch.setattr(channelwise_triton, "_GRADIENT_UNROLLED", 36)
    monkeypatch.setattr(channelwise_triton, "_BLOCK", 64)


# Triton's interpreter takes about ten seconds per case.
QUICK = ("temporal", "halved")
PAIRS = [
    pytest.param(body, case, marks=() if body == "mosaic" or case in QUICK else pytest.mark.slow)
    for body in BODIES
    for case in CASES
]


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize(("body", "case"), PAIRS)
def test_passes_equal_xlas(body, case):
    assert_close(interpreted(BODIES[body], case), expected(case), 3e-6)


@pytest.mark.parametrize("body", BODIES)
def test_bfloat16_stays_close_and_sums_in_float32(body):
    y, dx, dkernel = interpreted(BODIES[body], "temporal", jnp.bfloat16)
    assert (y.dtype, dx.dtype, dkernel.dtype) == (jnp.bfloat16, jnp.bfloat16, jnp.float32)
    assert_close((y, dx, dkernel), expected("temporal"), 2e-2)


def test_passes_use_the_platforms_kernels():
    shape, kernel, strides, pads = CASES["temporal"]
    problem = Problem(shape, (*kernel, 1, shape[-1]), strides, pads, shape[-1])

    def passes(x, kernel):
        y = pallas.forward(problem, x, kernel)
        g = cotangent(y)
        return (
            y,
            pallas.input_gradient(problem, kernel, g),
            pallas.kernel_gradient(problem, x, g),
        )

    assert_close(quickly(passes)(*arrays("temporal")), expected("temporal"), 3e-6)


def lowering_without(platform):
    """Allows lowering for a GPU that this host lacks; JAX 0.12 asks for its model."""
    if platform != "cuda":
        return contextlib.nullcontext()
    device = jax.sharding.AbstractDevice("NVIDIA H100", 1, "gpu")
    mesh = jax.sharding.AbstractMesh((), (), abstract_device=device)
    return jax.sharding.use_abstract_mesh(mesh)


@pytest.mark.parametrize(
    ("strides", "dtype"), [((1, 1, 1), jnp.float32), ((1, 2, 2), jnp.bfloat16)]
)
def test_passes_lower_to_kernels_of_their_platform(strides, dtype):
    x = jax.ShapeDtypeStruct((1, 8, 56, 56, 54), dtype)
    kernel = jax.ShapeDtypeStruct((3, 3, 3, 1, 54), dtype)
    problem = Problem(x.shape, kernel.shape, strides, ((1, 1),) * 3, 54)
    g = jax.ShapeDtypeStruct((1, *problem.size, 54), dtype)
    given = {
        "forward": (x, kernel),
        "input_gradient": (kernel, g),
        "kernel_gradient": (x, g),
    }
    for name in PASSES:
        part, shapes = functools.partial(getattr(pallas, name), problem), given[name]
        for platform, call in CALLS.items():
            with lowering_without(platform):
                traced = jax.jit(part).trace(*shapes)
                program = traced.lower(lowering_platforms=(platform,)).as_text()
            assert program.count(f"custom_call @{call}(") == 1
            assert "stablehlo.convolution" not in program


def test_it_is_for_channel_wise_kernels_on_accelerators(monkeypatch):
    channelwise = Problem((1, 2, 5, 5, 4), (1, 3, 3, 1, 4), (1, 1, 1), ((0, 0),) * 3, 4)
    dense = Problem((1, 2, 5, 5, 4), (1, 3, 3, 4, 4), (1, 1, 1), ((0, 0),) * 3)
    assert not pallas.fits(channelwise, "forward")
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert pallas.fits(channelwise, "forward")
    assert not pallas.fits(dense, "forward")
    monkeypatch.setattr(pallas, "_has_triton", lambda: False)
    assert not pallas.fits(channelwise, "forward")
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    assert pallas.fits(channelwise, "forward")


def test_rows_larger_than_vmem_are_refused():
    x, kernel = jax.ShapeDtypeStruct((1, 9, 9, 4096, 512), jnp.float32), (3, 3, 3, 1, 512)
    with pytest.raises(ValueError, match="does not fit into a TPU's VMEM"):
        jax.eval_shape(
            lambda x: channelwise_mosaic.forward(x, jnp.zeros(kernel), (1, 1, 1), ((1, 1),) * 3), x
        )
