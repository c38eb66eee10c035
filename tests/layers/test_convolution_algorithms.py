"""Tests every algorithm against XLA's own convolution, and the choice between them."""

import dataclasses
import hashlib
import os
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.fusions import computations
from tests.layers.test_conv import CASES
from tests.quickly import OPTIMIZED
from vidjax.layers.conv import conv3d
from vidjax.layers.convolution import choice, in_parts, winograd, xla
from vidjax.layers.convolution.algorithm import PASSES
from vidjax.layers.convolution.algorithms import ALGORITHMS, candidates
from vidjax.layers.convolution.compute import convolve
from vidjax.layers.convolution.problem import Problem, live_taps, without_dead_taps

HEAD = ",".join(choice.COLUMNS)
ONEDNN = "vidjax.layers.convolution.onednn.algorithm"


def problem_of(shape, kernel, strides=(1, 1, 1), padding=None, groups=1):
    sizes = kernel[:3]
    if padding is None:
        padding = [size // 2 for size in sizes]
    if padding == "VALID":
        padding = [0, 0, 0]
    if padding == "SAME":
        padding = jax.lax.padtype_to_pads(shape[1:4], sizes, strides, "SAME")
    pads = tuple((pad, pad) if isinstance(pad, int) else tuple(pad) for pad in padding)
    return Problem(shape, kernel, strides, pads, groups)


def arrays_of(problem, dtype=jnp.float32):
    rng = np.random.default_rng(0)
    result = (problem.shape[0], *problem.size, problem.outputs)
    x, kernel, g = (
        jnp.asarray(rng.normal(size=shape), dtype)
        for shape in (problem.shape, problem.kernel, result)
    )
    return {"forward": (x, kernel), "input_gradient": (kernel, g), "kernel_gradient": (x, g)}


def computed(algorithm, name, problem, arrays):
    return jax.jit(partial(getattr(ALGORITHMS[algorithm], name), problem))(*arrays[name])


@pytest.mark.parametrize("case", CASES)
def test_every_algorithm_equals_xlas_convolution(case):
    problem = problem_of(*CASES[case])
    arrays = arrays_of(problem)
    for name in PASSES:
        expected = computed("xla", name, problem, arrays)
        scale = float(jnp.abs(expected).max())
        for algorithm in candidates(name, problem):
            result = computed(algorithm, name, problem, arrays)
            assert (algorithm, result.shape) == (algorithm, expected.shape)
            np.testing.assert_allclose(
                result / scale, expected / scale, atol=3e-6, err_msg=algorithm
            )


def test_each_algorithm_fits_a_pass_of_some_case():
    problems = [problem_of(*case) for case in CASES.values()]
    met = {
        algorithm for name in PASSES for each in problems for algorithm in candidates(name, each)
    }
    assert met == set(ALGORITHMS) - {"pallas"}, "that one has tests of its own"


@pytest.mark.parametrize("case", ["dense", "few channels, stride 3", "three taps in time"])
def test_computing_in_parts_gives_the_same_result(case, monkeypatch):
    problem = problem_of(*CASES[case])
    arrays = arrays_of(problem)
    whole = {
        (f, n): computed(f, n, problem, arrays) for n in PASSES for f in candidates(n, problem)
    }
    for algorithm in ("winograd", "im2col", "taps", "frame_by_frame"):
        monkeypatch.setattr(f"vidjax.layers.convolution.{algorithm}._ELEMENTS", 1)
    monkeypatch.setattr("vidjax.layers.convolution.taps._LONG_PATCH", 0)
    for unrolled in (8, 1):
        monkeypatch.setattr(in_parts, "_UNROLLED", unrolled)
        for (algorithm, name), expected in whole.items():
            result = computed(algorithm, name, problem, arrays)
            np.testing.assert_allclose(result, expected, atol=2e-4, err_msg=algorithm)


def test_parts_are_equal_and_no_more_than_needed():
    assert in_parts.parts(12, scratch=100, most=100) == 1
    assert in_parts.parts(12, scratch=500, most=100) == 6
    assert in_parts.parts(12, scratch=10_000, most=100) == 12


def test_winograd_multiplies_less():
    """16 products of a quarter of the positions instead of nine of all: 2.25 times fewer."""
    problem = problem_of((2, 3, 8, 6, 16), (1, 3, 3, 16, 32))
    program = jax.make_jaxpr(partial(winograd.forward, problem))(*arrays_of(problem)["forward"])
    products = [each for each in program.jaxpr.eqns if each.primitive.name == "dot_general"]
    multiplied = sum(each.outvars[0].aval.size * each.invars[1].aval.shape[0] for each in products)
    assert len(products) == 16
    assert multiplied * 2.25 == 2 * 3 * 8 * 6 * 9 * 16 * 32


# The result is still correct, but it takes a little longer.
TWICE = pytest.mark.xfail(
    jax.__version_info__ >= (0, 11), reason="XLA computes it for each gradient", strict=True
)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="the algorithm is for CPUs")
@pytest.mark.parametrize(
    "kernel", [(1, 3, 3, 4, 8), (3, 3, 3, 4, 8), pytest.param((3, 1, 1, 4, 8), marks=TWICE)]
)
def test_winograd_computes_the_source_of_the_gradient_once(kernel):
    """It is not repeated for each tile, nor for both gradients."""
    problem = problem_of((2, 4, 8, 8, 4), kernel)
    x, g = arrays_of(problem)["kernel_gradient"]
    weights, _ = arrays_of(problem)["input_gradient"]

    def gradients(x, weights, g):
        g = jnp.where(g > 0, g, 0)
        algorithm = ALGORITHMS["winograd"]
        return algorithm.input_gradient(problem, weights, g), algorithm.kernel_gradient(
            problem, x, g
        )

    text = jax.jit(gradients).lower(x, weights, g).compile(OPTIMIZED).as_text()
    lines = (line for each in computations(text) for line in each.lines)
    assert sum(line.size for line in lines if line.opcode == "compare") == g.size


def test_taps_that_see_only_padding_are_left_out():
    one_frame = problem_of((2, 1, 5, 4, 8), (3, 3, 3, 8, 6))
    assert live_taps(one_frame) == (slice(1, 2), slice(0, 3), slice(0, 3))
    alive = without_dead_taps(one_frame, live_taps(one_frame))
    assert (alive.kernel, alive.pads) == ((1, 3, 3, 8, 6), ((0, 0), (1, 1), (1, 1)))
    assert alive.size == one_frame.size
    whole = problem_of((2, 2, 5, 4, 8), (3, 3, 3, 8, 6))
    assert without_dead_taps(whole, live_taps(whole)) == whole


def test_a_dead_taps_gradient_is_zero():
    x = jnp.ones((1, 1, 4, 4, 2))
    gradient = jax.grad(lambda k: conv3d(x, k, lowering="cpu").sum())(jnp.ones((3, 3, 3, 2, 2)))
    assert np.abs(gradient[1]).min() > 0
    assert not gradient[0].any()
    assert not gradient[2].any()


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Writes the table in use; oneDNN is off, because it would fit nearly every convolution."""
    path = tmp_path / "table.csv"
    monkeypatch.setattr(f"{ONEDNN}.available", lambda *_: False)

    def write(*rows):
        path.write_text("\n".join(["# made by hand", HEAD, *rows]) + "\n")
        monkeypatch.setenv(choice.VARIABLE, str(path))
        choice._table.cache_clear()
        choice._named.cache_clear()

    yield write
    choice._table.cache_clear()
    choice._named.cache_clear()


def row(algorithm, clip="4x8x16x16x64", kernel="3x3x3", backend="cpu", name="forward", outputs=64):
    pads = "x".join(f"{int(size) // 2}+{int(size) // 2}" for size in kernel.split("x"))
    return f"{backend},{name},{clip},{kernel},1x1x1,{pads},{outputs},1,{algorithm},1.0,"


def test_the_most_similar_measured_convolution_decides_the_algorithm(table):
    table(row("taps"), row("im2col", clip="4x2x4x4x512", outputs=512))
    near, far = (
        problem_of((2, 8, 16, 16, 32), (3, 3, 3, 32, 64)),
        problem_of((2, 2, 4, 4, 256), (3, 3, 3, 256, 512)),
    )
    assert choice.choose("forward", near, "cpu") == "taps"
    assert choice.choose("forward", far, "cpu") == "im2col"


def test_rows_of_another_kind_extent_or_stride_are_ignored(table):
    table(row("taps"), row("taps", kernel="1x3x3"))
    strided = problem_of((4, 8, 16, 16, 64), (3, 3, 3, 64, 64), (2, 2, 2))
    assert choice.choose("forward", strided, "cpu") == "im2col"
    time = problem_of((4, 8, 16, 16, 64), (3, 1, 1, 64, 64))
    assert choice.choose("forward", time, "cpu") == "winograd"
    assert choice.choose("kernel_gradient", time, "cpu") == "winograd"


def test_an_algorithm_that_does_not_fit_is_not_chosen(table):
    table(row("winograd", kernel="1x3x3"))
    wide = problem_of((4, 8, 16, 16, 64), (1, 5, 5, 64, 64))
    assert choice.choose("forward", wide, "cpu") == "im2col"


def test_the_next_fastest_replaces_a_missing_algorithm(table, monkeypatch):
    table(row("onednn") + "winograd:2.0 taps:3.0")
    problem = problem_of((4, 8, 16, 16, 64), (3, 3, 3, 64, 64))
    assert choice.choose("forward", problem, "cpu") == "winograd"
    monkeypatch.setattr(f"{ONEDNN}.available", lambda *_: True)
    assert choice.choose("forward", problem, "cpu") == "onednn"


def test_narrow_convolutions_use_onednn_unless_a_table_is_given(table, monkeypatch):
    def chosen(*problem, **options):
        return choice.choose("forward", problem_of(*problem, **options), "cpu")

    monkeypatch.delenv(choice.VARIABLE, raising=False)
    monkeypatch.setattr(f"{ONEDNN}.available", lambda *_: True)
    strided = ((8, 8, 16, 16, 16), (3, 3, 3, 16, 32), (2, 2, 2))
    assert chosen(*strided) == "onednn"
    # For single taps, groups and wide convolutions the table's fastest algorithms are kept.
    assert chosen((8, 8, 16, 16, 16), (1, 1, 1, 16, 32), (2, 2, 2)) == "pointwise"
    assert chosen((4, 2, 8, 8, 256), (1, 3, 3, 256, 576)) == "winograd"
    table(row("taps"))
    assert chosen((8, 8, 16, 16, 16), (3, 3, 3, 16, 16)) == "taps"


def test_a_table_with_the_old_column_form_is_read(table):
    table(row("taps"))
    path = Path(os.environ[choice.VARIABLE])
    path.write_text(path.read_text().replace(",algorithm,", ",form,"))
    assert choice.read_table(path)["cpu"][0].algorithms == ("taps",)


def test_a_table_with_the_old_names_of_algorithms_is_read(table):
    table(row("patches") + "overlap:2.0 blocks:3.0 taps:4.0")
    path = Path(os.environ[choice.VARIABLE])
    names = ("im2col", "col2im", "space_to_depth", "taps")
    assert choice.read_table(path)["cpu"][0].algorithms == names


def test_a_backend_without_measurements_uses_xlas_convolution(table):
    table(row("winograd", backend="gpu"))
    problem = problem_of((4, 8, 16, 16, 64), (3, 3, 3, 64, 64))
    assert choice.backends() == {"cpu", "gpu"}
    assert choice.choose("forward", problem, "tpu") == "xla"
    assert choice.choose("forward", problem, "gpu") == "winograd"
    assert choice.choose("forward", problem, "cpu") != "xla", "the table that comes along"


def test_a_given_table_is_described_for_a_runs_records(table, monkeypatch):
    table(row("winograd", backend="gpu"))
    path = os.environ[choice.VARIABLE]
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert choice.given_table() == {"path": path, "sha256": digest, "backends": ["gpu"]}
    monkeypatch.delenv(choice.VARIABLE)
    assert choice.given_table() is None


def test_a_missing_table_is_named(table, monkeypatch, tmp_path):
    monkeypatch.setenv(choice.VARIABLE, str(tmp_path / "none.csv"))
    with pytest.raises(ValueError, match=r"VIDJAX_CONVOLUTIONS=.*none.csv: no such table"):
        choice.backends()


def test_a_written_row_is_read_back(table):
    problem = problem_of((2, 3, 9, 8, 12), (1, 3, 2, 3, 8), (1, 2, 2), ((0, 0), (0, 2), (1, -1)), 4)
    written = choice.row_of("forward", problem, "cpu", {"xla": 2.0, "shifted": 1.0})
    table(",".join(written.values()))
    (measured,) = choice.read_table(Path(os.environ[choice.VARIABLE]))["cpu"]
    assert (measured.name, measured.problem) == ("forward", problem)
    assert measured.algorithms == ("shifted", "xla")
    assert written["others"] == "xla:2"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (row("fastest"), "row 1: algorithm 'fastest': one of xla, "),
        (row("taps", clip="4x8xfew"), "row 1: invalid literal"),
        ("cpu,forward,1x4x32x3", "row 1: no kernel, strides, .*delete the row"),
    ],
)
def test_a_broken_table_is_named(table, line, message):
    table(line)
    with pytest.raises(ValueError, match=message):
        choice.backends()


def test_a_table_without_a_column_is_named(tmp_path):
    (tmp_path / "t.csv").write_text("backend,pass\n")
    with pytest.raises(ValueError, match=r"t.csv: no column clip, kernel.*it has \['backend'"):
        choice.read_table(tmp_path / "t.csv")


def test_a_binary_file_is_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\x89PNG\xff")
    with pytest.raises(ValueError, match=r"t.csv is a binary file, not a table"):
        choice.read_table(tmp_path / "t.csv")


def test_programs_use_the_algorithms_of_the_table(table):
    problem = problem_of((1, 2, 4, 4, 8), (1, 3, 3, 8, 8))
    x, kernel = arrays_of(problem)["forward"]
    counts = {}
    for algorithm in ("im2col", "winograd", "xla"):
        table(row(algorithm, clip="1x2x4x4x8", kernel="1x3x3", outputs=8))
        program = str(jax.make_jaxpr(partial(convolve, problem, backend="cpu"))(x, kernel))
        counts[algorithm] = (program.count(" dot_general["), program.count("conv_general_dilated["))
    assert counts == {"im2col": (1, 0), "winograd": (16, 0), "xla": (0, 1)}


def test_bfloat16_is_rounded_once():
    problem = problem_of((1, 4, 6, 6, 8), (3, 3, 3, 8, 8))
    narrow = dataclasses.replace(problem, dtype="bfloat16")
    exact = arrays_of(problem, jnp.bfloat16)
    full = {name: tuple(a.astype(jnp.float32) for a in pair) for name, pair in exact.items()}
    for name in PASSES:
        expected = getattr(xla.ALGORITHM, name)(problem, *full[name])
        scale = float(jnp.abs(expected).max())
        for algorithm in set(candidates(name, narrow)) - {"xla"}:
            result = computed(algorithm, name, narrow, exact)
            assert result.dtype == jnp.bfloat16
            error = jnp.abs(result.astype(jnp.float32) - expected).max() / scale
            assert error <= 2**-8, algorithm
