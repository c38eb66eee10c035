"""Tests oneDNN's convolutions in compiled programs: gradients, threads, processes and absence."""

import dataclasses
import functools
import json
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.layers.test_conv import CASES
from tests.layers.test_convolution_algorithms import arrays_of, computed, problem_of
from vidjax.layers.conv import conv3d
from vidjax.layers.convolution import choice, xla
from vidjax.layers.convolution.algorithm import PASSES
from vidjax.layers.convolution.algorithms import candidates
from vidjax.layers.convolution.onednn import algorithm, call
from vidjax.layers.convolution.onednn.primitive import available
from vidjax.layers.convolution.onednn.shared_library import OFF, VARIABLE, Library, library
from vidjax.layers.convolution.portable import portable

if library() is None:
    pytest.skip("oneDNN has no wheel for this machine", allow_module_level=True)

PROBLEM = problem_of((2, 3, 6, 5, 4), (3, 3, 3, 4, 6))
SEVERAL = [
    PROBLEM,
    problem_of((2, 4, 6, 6, 4), (1, 3, 3, 2, 6), (1, 2, 2), groups=2),
    problem_of((2, 4, 6, 6, 4), (3, 3, 3, 1, 4), groups=4),
]
PROGRAM = textwrap.dedent(
    """
    import json, sys
    import jax, jax.numpy as jnp
    from vidjax.layers.conv import conv3d
    hits = []
    jax.monitoring.register_event_listener(lambda name, **_: hits.append(name))
    x = jnp.linspace(-1, 1, 2 * 3 * 6 * 5 * 4).reshape(2, 3, 6, 5, 4)
    kernel = jnp.linspace(1, 2, 27 * 4 * 6).reshape(3, 3, 3, 4, 6)
    work = jax.jit(jax.value_and_grad(lambda x, kernel: jnp.sum(conv3d(x, kernel) ** 2)))
    text = work.lower(x, kernel).as_text()
    value, gradient = work(x, kernel)
    print(json.dumps({
        "value": value.item(), "gradient": float(jnp.abs(gradient).sum()),
        "called": text.count("vidjax_onednn_convolution"),
        "hits": sum(name.endswith("/cache_hits") for name in hits),
    }))
    """
)


@pytest.fixture
def run_program(tmp_path):
    """Runs a program with a table in which oneDNN is the fastest."""
    table = tmp_path / "table.csv"
    rows = [choice.row_of(name, PROBLEM, "cpu", {"onednn": 1, "winograd": 2}) for name in PASSES]
    lines = [",".join(choice.COLUMNS), *(",".join(row.values()) for row in rows)]
    table.write_text("\n".join(lines) + "\n")
    return functools.partial(output_of, **{choice.VARIABLE: str(table)})


def output_of(**environment):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("case", CASES)
def test_it_supports_all_passes_of_all_kinds_of_convolutions(case):
    """The exception is cropping: oneDNN has no negative padding."""
    problem = problem_of(*CASES[case])
    cut = min(min(pad) for pad in problem.pads) < 0
    for name in PASSES:
        assert ("onednn" in candidates(name, problem)) != cut


@pytest.mark.parametrize("problem", SEVERAL, ids=["dense", "grouped", "channel-wise"])
def test_second_derivatives_equal_xlas(problem):
    arrays = arrays_of(problem)
    x, kernel = arrays["forward"]

    def penalty(convolve, x, kernel):
        inner = jax.grad(lambda x, kernel: jnp.sum(jnp.tanh(convolve(problem, x, kernel))), (0, 1))
        return sum(jnp.sum(each**2) for each in inner(x, kernel))

    ours, theirs = (
        jax.jit(jax.grad(functools.partial(penalty, each.forward), (0, 1)))(x, kernel)
        for each in (algorithm, xla)
    )
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=3e-5 * float(jnp.abs(other).max()))


@pytest.mark.parametrize("name", PASSES)
def test_bfloat16_is_rounded_once(name):
    """Sums are float32, so the result is the bfloat16 nearest to the exact value."""
    problem = problem_of((1, 2, 4, 4, 32), (1, 3, 3, 32, 16))
    arrays = [each.astype(jnp.bfloat16) for each in arrays_of(problem)[name]]
    narrow = problem.__class__(**{**vars(problem), "dtype": "bfloat16"})
    if "onednn" not in candidates(name, narrow):
        pytest.skip("this CPU has no bfloat16 in oneDNN")
    result = getattr(algorithm, name)(narrow, *arrays)
    exact = getattr(xla.ALGORITHM, name)(problem, *(each.astype(jnp.float32) for each in arrays))
    assert result.dtype == jnp.bfloat16
    error = jnp.abs(result.astype(jnp.float32) - exact) / jnp.maximum(jnp.abs(exact), 1)
    assert float(error.max()) <= 2**-8


@pytest.mark.parametrize("axis", range(3), ids=["longer", "higher", "wider"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_kernels_longer_than_the_clip_are_correct_or_left_to_others(axis, dtype):
    sizes, taps = [6, 9, 10], [1, 3, 3]
    sizes[axis], taps[axis] = 2, 3
    problem = problem_of((2, *sizes, 8), (*taps, 8, 6))
    problem = dataclasses.replace(problem, dtype=dtype)
    exact = dataclasses.replace(problem, dtype="float32")
    arrays = arrays_of(problem, jnp.dtype(dtype))
    full = {name: [x.astype(jnp.float32) for x in pair] for name, pair in arrays.items()}
    tolerance = 1e-5 if dtype == "float32" else 2**-8
    for name in PASSES:
        expected = computed("xla", name, exact, full)
        scale = float(jnp.abs(expected).max())
        for chosen in {*candidates(name, problem)} & {"onednn", "xla"}:
            result = computed(chosen, name, problem, arrays).astype(jnp.float32)
            np.testing.assert_allclose(
                result / scale, expected / scale, atol=tolerance, err_msg=f"{chosen}, {name}"
            )
    found = "onednn" in candidates("kernel_gradient", problem)
    assert found == ((axis, dtype) != (0, "bfloat16")) or not available("forward", problem)


def test_mixed_types_are_refused():
    x, kernel = arrays_of(PROBLEM)["forward"]
    with pytest.raises(ValueError, match="bfloat16 in a float32 convolution"):
        algorithm.forward(PROBLEM, x, kernel.astype(jnp.bfloat16))


def test_threads_share_a_compiled_program():
    work = jax.jit(functools.partial(algorithm.forward, PROBLEM))
    x, kernel = arrays_of(PROBLEM)["forward"]
    expected = work(x, kernel)
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda factor: work(factor * x, kernel), range(64)))
    for factor, result in enumerate(results):
        scale = 3e-6 * max(factor, 1) * float(jnp.abs(expected).max())
        np.testing.assert_allclose(result, factor * expected, atol=scale)


def test_vmap_is_supported():
    x, kernel = arrays_of(PROBLEM)["forward"]
    clips = jnp.stack([x, 2 * x])
    result = jax.vmap(lambda x: algorithm.forward(PROBLEM, x, kernel))(clips)
    expected = algorithm.forward(PROBLEM, x, kernel)
    np.testing.assert_allclose(result, [expected, 2 * expected], rtol=1e-6)


def test_encoded_problems_are_decoded():
    for problem in SEVERAL:
        for name in PASSES:
            numbers = call._encoded(name, problem)
            assert numbers.dtype == np.int64
            assert call._decoded(numbers.tolist()) == (name, problem)


def test_a_call_that_fails_ends_the_program():
    results = (
        jax.ShapeDtypeStruct(PROBLEM.result, jnp.float32),
        jax.ShapeDtypeStruct((64,), jnp.uint8),
    )
    x, kernel = arrays_of(PROBLEM)["forward"]
    algorithm.forward(PROBLEM, x, kernel)
    numbers = np.full(22, -1, np.int64)
    with pytest.raises(jax.errors.JaxRuntimeError, match="StopIteration"):
        jax.block_until_ready(jax.ffi.ffi_call(call.TARGET, results)(x, kernel, problem=numbers))


def test_programs_of_the_compilation_cache_run_in_another_process(run_program, tmp_path):
    cache = {
        "JAX_ENABLE_COMPILATION_CACHE": "true",
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    first, second = run_program(**cache), run_program(**cache)
    assert first["called"] > 0
    assert second["hits"] > first["hits"]
    assert (first["value"], first["gradient"]) == (second["value"], second["gradient"])


def test_without_onednn_other_algorithms_are_used(run_program):
    with_it, without = run_program(), run_program(**{VARIABLE: OFF})
    assert with_it["called"] > 0
    assert without["called"] == 0
    for key in ("value", "gradient"):
        assert with_it[key] == pytest.approx(without[key], rel=1e-5)


def test_several_devices_do_not_use_it(run_program):
    """XLA cannot divide oneDNN's calls among devices."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    assert run_program(XLA_FLAGS=flags)["called"] == 0


def test_programs_for_other_machines_do_not_use_it():
    def convolve(x, kernel):
        with portable():
            return conv3d(x, kernel, lowering="cpu")

    arrays = arrays_of(PROBLEM)["forward"]
    exported = jax.export.export(jax.jit(convolve))(*arrays)
    ours = conv3d(*arrays, lowering="cpu")
    np.testing.assert_allclose(exported.call(*arrays), ours, atol=3e-6 * float(jnp.abs(ours).max()))
    assert call.TARGET not in exported.mlir_module()


def test_a_wrong_path_is_named(monkeypatch, tmp_path):
    with monkeypatch.context() as patched:
        patched.setenv(VARIABLE, str(tmp_path / "absent.so"))
        library.cache_clear()
        with pytest.raises(ValueError, match=f"absent.so.*Set {VARIABLE}=off"):
            library()
    library.cache_clear()


def test_a_library_that_is_not_onednn_is_ignored(monkeypatch):
    installed = "vidjax.layers.convolution.onednn.shared_library._installed"
    with monkeypatch.context() as patched:
        patched.delenv(VARIABLE, raising=False)
        patched.setattr(installed, lambda: "libc.so.6")
        library.cache_clear()
        with pytest.warns(RuntimeWarning, match="cannot be loaded, so convolutions take longer"):
            assert library() is None
    library.cache_clear()
    assert isinstance(library(), Library)


def test_an_input_is_computed_once_for_a_matrix_product_and_for_onednn():
    problem = problem_of((2, 3, 6, 5, 16), (1, 1, 1, 16, 32))

    def gradients(x, kernel, g):
        g = g * jnp.float32(0.3) + x.mean()
        product = g.reshape(-1, 32) @ kernel[0, 0, 0].T
        return product, call.convolve("kernel_gradient", problem, x, g)

    arrays = arrays_of(problem)
    x, g = arrays["kernel_gradient"]
    text = jax.jit(gradients).lower(x, arrays["forward"][1], g).compile().as_text()
    # The factor of `g` is in the compiled program once: no second loop computes it.
    assert text.count("constant(0.3") == 1
