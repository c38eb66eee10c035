import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal

from tests.quickly import OPTIMIZED, UNOPTIMIZED
from vidjax.layers.conv import Conv, conv3d
from vidjax.layers.lowering import force_lowering, resolve

# input, kernel, strides, padding, groups
CASES = {
    "dense": ((2, 5, 9, 8, 4), (3, 3, 3, 4, 6), (1, 1, 1), None, 1),
    "dense strided": ((2, 5, 9, 8, 12), (3, 3, 3, 12, 6), (2, 2, 2), None, 1),
    "spatial": ((2, 3, 9, 8, 8), (1, 3, 3, 8, 8), (1, 2, 2), "SAME", 1),
    "temporal": ((2, 6, 5, 4, 4), (3, 1, 1, 4, 6), (2, 1, 1), None, 1),
    "pointwise": ((2, 5, 9, 8, 4), (1, 1, 1, 4, 6), (1, 1, 1), None, 1),
    "pointwise strided": ((2, 5, 9, 8, 4), (1, 1, 1, 4, 6), (2, 2, 2), None, 1),
    "stem": ((2, 5, 11, 12, 3), (7, 7, 7, 3, 6), (1, 2, 2), None, 1),
    "small stem": ((1, 5, 12, 11, 3), (3, 7, 7, 3, 6), (1, 2, 2), None, 1),
    "few channels, stride 3": ((1, 3, 10, 9, 3), (1, 4, 5, 3, 2), (1, 3, 3), (0, 1, 2), 1),
    "no padding": ((2, 5, 9, 8, 8), (3, 3, 3, 8, 8), (2, 2, 2), "VALID", 1),
    "uneven padding": ((2, 5, 9, 8, 8), (2, 3, 3, 8, 4), (1, 1, 1), ((1, 0), (0, 2), (1, 1)), 1),
    "grouped": ((2, 5, 9, 8, 8), (3, 3, 3, 2, 12), (1, 2, 2), None, 4),
    "many outputs": ((2, 5, 9, 8, 8), (3, 3, 3, 8, 32), (1, 1, 1), None, 1),
    "many outputs strided": ((2, 5, 9, 8, 8), (3, 3, 3, 8, 32), (2, 2, 2), None, 1),
    "many groups": ((2, 3, 6, 5, 24), (3, 3, 3, 2, 24), (1, 1, 1), None, 12),
    "wide groups": ((2, 3, 6, 5, 24), (1, 3, 3, 12, 8), (1, 2, 2), None, 2),
    "more outputs than groups": ((2, 3, 6, 5, 4), (3, 3, 3, 1, 12), (1, 1, 1), None, 4),
    "channel-wise": ((2, 5, 9, 8, 8), (3, 3, 3, 1, 8), (1, 2, 2), None, 8),
    "one frame left": ((2, 1, 5, 4, 8), (3, 3, 3, 8, 6), (1, 1, 1), None, 1),
    "one position left": ((2, 2, 2, 1, 8), (3, 3, 3, 8, 6), (2, 2, 2), None, 1),
    "three taps in time": ((2, 5, 4, 4, 8), (3, 1, 1, 8, 6), (1, 1, 1), None, 1),
    "odd sizes": ((1, 3, 7, 5, 4), (1, 3, 3, 4, 5), (1, 1, 1), ((0, 0), (1, 1), (2, 0)), 1),
    "channel-wise temporal": ((2, 5, 4, 4, 8), (5, 1, 1, 1, 8), (1, 1, 1), None, 8),
}
# A case for each way of summing the taps.
ROUNDED = [
    "dense",
    "dense strided",
    "temporal",
    "pointwise",
    "stem",
    "many outputs",
    "grouped",
    "channel-wise",
]


def arrays(case, dtype=np.float32):
    rng = np.random.default_rng(0)
    x, kernel = (rng.normal(size=shape).astype(dtype) for shape in CASES[case][:2])
    return x, kernel


def value_and_gradients(case, lowering, dtype=np.float32, given=None, options=UNOPTIMIZED):
    """Computes in `dtype` from numbers that were rounded to `given`, by default the same."""
    given = given or dtype
    x, kernel = (jnp.asarray(a, given).astype(dtype) for a in arrays(case))
    _, _, strides, padding, groups = CASES[case]

    @functools.partial(jax.jit, compiler_options=options)
    def run(x, kernel):
        y, pull = jax.vjp(
            lambda x, k: conv3d(x, k, strides, padding, groups, lowering=lowering), x, kernel
        )
        weight = jnp.cos(jnp.arange(y.size)).reshape(y.shape).astype(given)
        return y, *pull(weight.astype(y.dtype))

    return run(x, kernel)


@pytest.mark.parametrize("case", CASES)
def test_cpu_algorithms_have_the_values_and_gradients_of_xla(case):
    # Each way of summing the taps is compiled with default options; doing so for all cases takes
    # twice as long.
    options = OPTIMIZED if case in ROUNDED else UNOPTIMIZED
    for ours, theirs in zip(
        value_and_gradients(case, "cpu", options=options),
        value_and_gradients(case, "lax"),
        strict=True,
    ):
        assert ours.shape == theirs.shape
        scale = float(jnp.abs(theirs).max())
        np.testing.assert_allclose(ours / scale, theirs / scale, atol=3e-6)


@pytest.mark.parametrize("case", ROUNDED)
def test_in_bfloat16_sums_are_float32_and_rounded_once(case):
    ours = value_and_gradients(case, "cpu", jnp.bfloat16, options=OPTIMIZED)
    exact = value_and_gradients(case, "lax", np.float32, jnp.bfloat16)
    half_a_bit = float(jnp.finfo(jnp.bfloat16).eps) / 2
    for low, full in zip(ours, exact, strict=True):
        assert low.dtype == jnp.bfloat16
        atol = 1e-5 * float(jnp.abs(full).max())
        np.testing.assert_allclose(low.astype(np.float32), full, rtol=half_a_bit, atol=atol)


@pytest.mark.parametrize("lowering", ["cpu", "lax"])
def test_one_channel_is_scipy_correlation(lowering):
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(6, 7, 8)), rng.normal(size=(3, 3, 3))
    ours = conv3d(
        jnp.asarray(x[None, ..., None], np.float32),
        jnp.asarray(kernel[..., None, None], np.float32),
        lowering=lowering,
    )
    expected = signal.correlate(x, kernel, mode="same")
    np.testing.assert_allclose(ours[0, ..., 0], expected, atol=2e-5)


@pytest.mark.parametrize(
    ("x", "kernel", "groups", "message"),
    [
        ((1, 2, 2, 2, 3), (1, 1, 1, 4, 5), 1, "does not fit 3 channels"),
        ((1, 2, 2, 2, 4), (1, 1, 1, 2, 5), 2, "in 2 groups"),
        ((2, 2, 2, 4), (1, 1, 1, 4, 5), 1, r"\[B, T, H, W, C\]"),
    ],
)
def test_invalid_shapes_are_refused(x, kernel, groups, message):
    with pytest.raises(ValueError, match=message):
        conv3d(jnp.zeros(x), jnp.zeros(kernel), groups=groups)


def test_lowering_is_chosen_by_backend_and_can_be_forced():
    assert resolve("auto") == ("cpu" if jax.default_backend() == "cpu" else "lax")
    x = jnp.ones((1, 2, 4, 4, 2))
    kernel = jnp.ones((3, 3, 3, 2, 2))
    with force_lowering("lax"):
        assert resolve("auto") == "lax"
        program = str(jax.make_jaxpr(conv3d)(x, kernel))
    assert program.count("conv_general_dilated") == 1
    with pytest.raises(ValueError, match="lowering 'fast'"):
        resolve("fast")


def test_the_module_has_the_stated_kernel():
    module = Conv(6, (3, 1, 1), groups=2, use_bias=True, dtype=jnp.bfloat16)
    x = jnp.ones((1, 4, 2, 2, 4))
    variables = module.init(jax.random.key(0), x)
    chex.assert_shape(variables["params"]["kernel"], (3, 1, 1, 2, 6))
    chex.assert_shape(variables["params"]["bias"], (6,))
    chex.assert_type(jax.tree.leaves(variables), jnp.float32)
    assert module.apply(variables, x).dtype == jnp.bfloat16


def test_kernels_have_kaimings_initial_deviation():
    module = Conv(256, (3, 3, 3))
    kernel = module.init(jax.random.key(0), jnp.ones((1, 1, 3, 3, 16)))["params"]["kernel"]
    expected = np.sqrt(2 / (27 * 256))
    assert float(kernel.std()) == pytest.approx(expected, rel=0.02)
