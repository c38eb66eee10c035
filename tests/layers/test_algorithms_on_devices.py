"""Tests convolutions of clips on several devices, in a separate process."""

import json
import re
import textwrap

import pytest

from tests.commands import run_code

PROGRAM = textwrap.dedent(
    r"""
    import functools, json, re, sys
    import jax
    jax.config.update("jax_num_cpu_devices", 8)
    import numpy as np
    from jax.sharding import NamedSharding, PartitionSpec as P
    from vidjax.layers.convolution import in_parts
    from vidjax.layers.convolution.algorithm import PASSES
    from vidjax.layers.convolution.algorithms import ALGORITHMS, candidates
    from vidjax.layers.convolution.problem import Problem

    rng = np.random.default_rng(0)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    spread, copied = NamedSharding(mesh, P("data")), NamedSharding(mesh, P())
    pads = ((1, 1),) * 3
    problems = {
        "dense": Problem((16, 4, 6, 6, 4), (3, 3, 3, 4, 6), (1, 1, 1), pads),
        "space": Problem((16, 2, 6, 6, 4), (1, 3, 3, 4, 6), (1, 1, 1), ((0, 0), *pads[1:])),
        "time": Problem((16, 4, 3, 3, 4), (3, 1, 1, 4, 6), (1, 1, 1), (pads[0], (0, 0), (0, 0))),
        "strided": Problem((16, 4, 6, 6, 3), (3, 3, 3, 3, 6), (2, 2, 2), pads),
        "point": Problem((16, 2, 4, 4, 4), (1, 1, 1, 4, 6), (1, 2, 2), ((0, 0),) * 3),
        "channel-wise": Problem((16, 4, 6, 6, 4), (3, 3, 3, 1, 4), (1, 2, 2), pads, 4),
    }

    def report(name, function, arrays, places):
        one = np.asarray(jax.jit(function)(*arrays))
        arrays = [jax.device_put(*pair) for pair in zip(arrays, places)]
        program = jax.jit(function).lower(*arrays).compile()
        # Of arrays: a number by itself may be told to all.
        arrays_sent = r"\[(?!1?\]).*? (all-[a-z]+|collective-[a-z]+|reduce-scatter)[(-]"
        kinds = re.findall(arrays_sent, program.as_text())
        distance = float(np.abs(np.asarray(program(*arrays)) - one).max() / np.abs(one).max())
        print(json.dumps({"name": name, "kinds": sorted(set(kinds)), "distance": distance}))

    for case, problem in problems.items():
        result = (problem.shape[0], *problem.size, problem.outputs)
        shapes = (problem.shape, problem.kernel, result)
        x, kernel, g = (np.float32(rng.normal(size=shape)) for shape in shapes)
        given = {
            "forward": ((x, kernel), (spread, copied)),
            "input_gradient": ((kernel, g), (copied, spread)),
            "kernel_gradient": ((x, g), (spread, spread)),
        }
        for name in PASSES:
            for algorithm in candidates(name, problem):
                if algorithm not in ("xla", "pallas"):
                    function = functools.partial(getattr(ALGORITHMS[algorithm], name), problem)
                    report(f"{algorithm}, {name}, {case}", function, *given[name])
    rows = np.float32(rng.normal(size=(32, 5)))
    for unrolled in (8, 1):
        in_parts._UNROLLED = unrolled
        mapped = lambda x: in_parts.mapped(lambda part: part * 2, x, 4)
        summed = lambda x: in_parts.summed(lambda part: part.sum(0), (x,), 4)
        report(f"mapped, {unrolled}", mapped, (rows,), (spread,))
        report(f"summed, {unrolled}", summed, (rows,), (spread,))
    """
)


@pytest.fixture(scope="module")
def reports():
    done = run_code(PROGRAM)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_values_are_those_of_one_device(reports):
    assert {each["name"]: each["distance"] for each in reports if each["distance"] > 1e-5} == {}


def test_devices_exchange_only_sums_of_gradients(reports):
    def expected(name):
        return ["all-reduce"] if "kernel_gradient" in name or "summed" in name else []

    sent = {each["name"]: each["kinds"] for each in reports}
    assert {name: kinds for name, kinds in sent.items() if kinds != expected(name)} == {}


def test_most_algorithms_are_tested(reports):
    tried = {re.split(", ", each["name"])[0] for each in reports}
    assert {"winograd", "im2col", "taps", "frame_by_frame", "shifted", "col2im"} <= tried
