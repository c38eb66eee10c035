"""Tests how many threads compute a convolution with oneDNN, and when it converts the kernel."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from tests.layers.test_convolution_algorithms import arrays_of, problem_of
from vidjax.layers.convolution import xla
from vidjax.layers.convolution.algorithm import PASSES
from vidjax.layers.convolution.onednn import threads
from vidjax.layers.convolution.onednn.primitive import Primitive, _arguments
from vidjax.layers.convolution.onednn.shared_library import library

if library() is None:
    pytest.skip("oneDNN has no wheel for this machine", allow_module_level=True)

SMALL = problem_of((1, 2, 6, 6, 8), (3, 3, 3, 8, 8))
LARGE = problem_of((2, 8, 20, 20, 16), (3, 3, 3, 16, 48))
OUTPUTS = (6, 8, 16, 24, 32, 48, 64, 96, 128)


def run(primitive, name, problem, arrays):
    """Runs a primitive in this thread, as XLA does in its own."""
    shapes = {
        "forward": problem.result,
        "input_gradient": problem.shape,
        "kernel_gradient": problem.kernel,
    }
    one, other = (np.asarray(each) for each in arrays[name])
    result, scratch = np.full(shapes[name], np.nan, np.float32), np.empty(primitive.scratch, "u1")
    primitive.run(*(each.ctypes.data for each in (one, other, result, scratch)))
    return result


def check(primitive, name, problem):
    arrays = arrays_of(problem)
    expected = getattr(xla.ALGORITHM, name)(problem, *arrays[name])
    scale = float(jnp.abs(expected).max())
    result = run(primitive, name, problem, arrays)
    np.testing.assert_allclose(result, expected, atol=3e-6 * scale, rtol=0)


def multiply_adds(problem):
    """Counts them from the definition of a convolution."""
    batch, time, height, width, outputs = problem.result
    taps_time, taps_height, taps_width, inputs, _ = problem.kernel
    return batch * time * height * width * outputs * taps_time * taps_height * taps_width * inputs


@pytest.mark.parametrize("most", [1, 2, 8, 64])
def test_one_thread_computes_what_takes_less_time_than_waking_others(most):
    """With n threads, a convolution that takes time t takes t / n after the others are awake."""
    for problem in (SMALL, LARGE, problem_of((1, 4, 10, 10, 16), (3, 3, 3, 16, 64))):
        alone = multiply_adds(problem) / threads._MULTIPLY_ADDS
        expected = 1 if alone <= alone / most + 1 else most
        assert threads.computing_threads(problem, most) == expected
    assert threads.computing_threads(SMALL, 64) == 1
    assert threads.computing_threads(LARGE, most) == most


def test_a_short_copy_of_the_kernel_has_one_thread():
    assert threads.converting_threads(LARGE, 8) == 1
    long = problem_of((1, 2, 4, 4, 256), (3, 3, 3, 256, 256))
    assert threads.converting_threads(long, 8) == 8


@pytest.mark.parametrize("name", PASSES)
def test_the_number_of_threads_does_not_change_the_result(name):
    for problem in (SMALL, LARGE):
        check(Primitive(name, problem), name, problem)


@pytest.mark.parametrize("name", PASSES)
@pytest.mark.parametrize("problem", [SMALL, LARGE], ids=["small", "large"])
def test_a_run_has_the_threads_that_it_was_compiled_for(name, problem):
    """Another library may set OpenMP's number of threads between the two.

    oneDNN plans memory by that number. A run with more threads would write beside it.
    """
    dnnl = library()
    with dnnl.limited(1):
        alone = Primitive(name, problem)
        assert alone.threads == 1
    check(alone, name, problem)
    with dnnl.limited(4):
        several = Primitive(name, problem)
    assert several.threads == (4 if problem is LARGE else 1)
    with dnnl.limited(1):
        check(several, name, problem)


def fail_inside(dnnl):
    with dnnl.limited(1):
        assert dnnl.max_threads() == 1
        raise RuntimeError("stop")


def test_the_callers_number_of_threads_is_restored():
    dnnl = library()
    with dnnl.limited(3):
        check(Primitive("forward", SMALL), "forward", SMALL)
        assert dnnl.max_threads() == 3
        with pytest.raises(RuntimeError, match="stop"):
            fail_inside(dnnl)
        assert dnnl.max_threads() == 3


def converted(primitive):
    """Lets oneDNN copy such a kernel to its own layout; returns the memory of the copy."""
    dnnl, layouts = primitive._library, primitive._layouts
    sizes = {part: dnnl.bytes(layouts[part]) for part in ("kernel", "own", "reorder")}
    memory = {part: np.zeros(size + 64, np.uint8) for part, size in sizes.items()}
    count = sizes["kernel"] // 4
    memory["kernel"].view(np.float32)[:count] = np.arange(1, count + 1)
    made = {
        number: dnnl.create("memory_create", layouts[part], dnnl.engine, memory[part].ctypes.data)
        for number, part in ((1, "kernel"), (17, "own"), (80, "reorder"))
        if sizes[part]
    }
    with dnnl.limited(primitive._converting_threads):
        arguments = _arguments(made)
        assert not dnnl.execute(primitive._reorder, dnnl.stream(), len(arguments), arguments)
    return memory["own"][: sizes["own"]].tobytes()


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("name", PASSES)
def test_kernels_are_only_copied_where_layouts_differ(name, groups):
    """A layout that is taken for ours by mistake gives a wrong result for random kernels."""
    for outputs in OUTPUTS:
        problem = problem_of((2, 3, 5, 5, 16), (3, 3, 3, 16 // groups, outputs), groups=groups)
        primitive = Primitive(name, problem)
        check(primitive, name, problem)
        if name != "kernel_gradient":
            assert primitive.converts == (converted(primitive) != numbered(problem)), outputs


def numbered(problem):
    """Returns the memory of a kernel whose elements are different numbers."""
    return np.arange(1, math.prod(problem.kernel) + 1, dtype=np.float32).tobytes()
