"""Tests that `load_torch` returns a dict of variables that also knows its network."""

import copy
import pickle

import flax.serialization
import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from tests.convert.test_loading import CLASSES, small_state
from vidjax.convert.loading import convert, load_torch

OPTIONS = {"width": 4, "depths": (1, 1, 1, 1)}


@pytest.fixture(scope="module")
def plain():
    return convert("r3d_18", small_state(), **OPTIONS).variables


@pytest.fixture
def loaded():
    return load_torch("r3d_18", small_state(), **OPTIONS)


@pytest.fixture(scope="module")
def clip():
    return np.random.default_rng(0).normal(size=(2, 4, 16, 16, 3)).astype(np.float32)


def assert_same(tree, expected):
    assert jax.tree.structure(tree) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, tree, expected)


def test_the_network_applies_its_variables_with_and_without_jit(loaded, plain, clip):
    model = loaded.model
    run = jax.jit(lambda variables, x: model.apply(variables, x, train=False))
    logits = run(loaded, clip)
    assert logits.shape == (2, CLASSES)
    np.testing.assert_array_equal(logits, run(plain, clip))
    _, state = model.apply(loaded, clip, train=True, mutable=["batch_stats"])
    assert set(state) == {"batch_stats"}
    programs = run._cache_size()
    run(load_torch("r3d_18", small_state(), **OPTIONS), clip)
    assert run._cache_size() == programs


def test_facts_about_the_file_are_attributes(loaded):
    converted = convert("r3d_18", small_state(), **OPTIONS)
    for name in ("options", "num_classes", "mean", "std", "frames", "report"):
        assert getattr(loaded, name) == getattr(converted, name), name
    assert loaded.report.misfits == 0
    assert loaded.name == "r3d_18"


def test_it_behaves_like_a_dict(loaded, plain):
    assert isinstance(loaded, dict)
    assert sorted(loaded) == ["batch_stats", "params"]
    assert_same(loaded["params"], plain["params"])
    assert_same(dict(loaded), plain)
    assert_same(loaded.variables, plain)
    assert_same({**loaded, "batch_stats": {}}, {**plain, "batch_stats": {}})


def test_tree_functions_keep_paths_and_the_network(loaded, plain):
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(loaded)]
    assert paths == [path for path, _ in jax.tree_util.tree_leaves_with_path(plain)]
    doubled = jax.tree.map(lambda leaf: 2 * leaf, loaded)
    assert doubled.options == loaded.options
    assert_same(doubled.variables, jax.tree.map(lambda leaf: 2 * leaf, plain))
    summed = jax.tree.map(lambda one, two: one + two, loaded, doubled)
    assert_same(summed.variables, jax.tree.map(lambda leaf: 3 * leaf, plain))
    looped = jax.lax.fori_loop(0, 2, lambda _, v: jax.tree.map(lambda leaf: 2 * leaf, v), loaded)
    assert_same(looped.variables, jax.tree.map(lambda leaf: 4 * leaf, plain))


def test_checkpoints_store_a_plain_dict(loaded, plain, tmp_path):
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "orbax", loaded)
        checkpointer.wait_until_finished()
        assert_same(checkpointer.restore(tmp_path / "orbax", plain), plain)
        assert_same(checkpointer.restore(tmp_path / "orbax", loaded), loaded)
    data = flax.serialization.to_bytes(loaded)
    assert_same(flax.serialization.from_bytes(plain, data), plain)
    assert_same(flax.serialization.from_bytes(loaded, data), loaded)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies_know_the_network(loaded, plain, copied):
    again = copied(loaded)
    assert_same(again.variables, plain)
    assert again.model.num_classes == CLASSES
    assert_same(pickle.loads(pickle.dumps(again)).variables, plain)
