"""Tests parameters and multiply-adds of SRTG networks against the reference and the thesis."""

import functools
import json

import numpy as np
import pytest

import vidjax
from tests.models.test_srtg import shapes


@pytest.fixture
def counts(shared):
    file = shared / "spec/method-param-counts.json"
    if not file.is_file():
        pytest.skip(f"no counts at {file}")
    return json.loads(file.read_text())


@functools.cache
def parameters(name, **options):
    """Returns the number of parameters with 400 classes, and the number per additional class."""
    leaves = shapes(
        vidjax.create_model(name, num_classes=400, **options), np.zeros((1, 16, 32, 32, 3))
    )
    count = sum(leaf.size for path, leaf in leaves.items() if path.startswith("params/"))
    return count, leaves["params/head/kernel"].shape[0] + 1


@pytest.mark.parametrize(
    "name", [f"srtg_{kind}_{n}" for kind in ("r3d", "r2plus1d") for n in (34, 50, 101)]
)
def test_parameters_are_those_of_the_reference(counts, name):
    found = {key: entry for key, entry in counts.items() if key.startswith(f"{name}_c")}
    assert found
    for entry in found.values():
        count, each = parameters(name)
        assert count + each * (entry["num_classes"] - 400) == entry["params"]


@pytest.mark.parametrize("kind", ["r3d", "r2plus1d"])
def test_wide_outputs_have_the_parameters_of_the_reference(counts, kind):
    for name, ours in ((f"{kind}_50", f"{kind}_50_e1"), (f"srtg_{kind}_50", f"srtg_{kind}_50")):
        count, _ = parameters(ours, expansion=4)
        assert count == counts[f"{name}_expansion4_c400"]["params"]


def test_parameters_are_those_of_the_reference_with_wide_bottlenecks(counts):
    entry = counts["srtg_r3d_50_expansion4_c400"]
    count, _ = parameters("r3d_50", srtg="final", stem_kernel=(3, 7, 7))
    assert count == entry["params"]


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("srtg_r3d_34", 83.8),
        ("srtg_r3d_50", 56.9),
        ("srtg_r3d_101", 107.1),
        ("srtg_r2plus1d_34", 82.1),
        ("srtg_r2plus1d_50", 55.0),
        ("srtg_r2plus1d_101", 105.3),
    ],
)
def test_parameters_are_those_of_the_thesis_table(name, millions):
    assert parameters(name)[0] / 1e6 == pytest.approx(millions, rel=2e-3)


@pytest.mark.parametrize("name", ["srtg_r3d_34"])
def test_multiply_adds_are_those_of_the_reference(counts, name):
    entry = counts[f"macs_{name}_16x224"]
    _, channels, *size = map(int, entry["input"].split("x"))
    cost = vidjax.count_cost(vidjax.create_model(name), (1, *size, channels))
    assert cost.macs / 1e9 == pytest.approx(entry["multiply_adds_G"], abs=6e-4)
    assert cost.params == entry["params"]
