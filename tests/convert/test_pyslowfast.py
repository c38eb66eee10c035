"""Tests PySlowFast's and Caffe2's files against PyTorchVideo's files of the same networks."""

import pickle

import jax
import numpy as np
import pytest

from tests import references
from tests.convert import pyslowfast
from tests.convert.pickles import Payload, write_blobs
from vidjax.convert.checkpoint_reader import CheckpointError, read_tensors
from vidjax.convert.loading import convert

# Key lists of PyTorchVideo, our networks, and the factor by which tests reduce their widths.
TWINS = {
    "slowonly-50": ("slowonly_50", 16),
    "slowfast-50-8x8": ("slowfast_50", 8),
}
SLOW = [
    pytest.param(name, marks=pytest.mark.slow if name == "slowfast-50-8x8" else ())
    for name in TWINS
]


def thin(keys, times):
    """Returns the shapes of the same network with channels and classes divided by a factor."""
    return {
        key: tuple(n // times if n >= times and n % times == 0 else n for n in shape)
        for key, shape in keys.items()
    }


def same(one, other):
    return jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), one, other))


@pytest.mark.parametrize("reference", SLOW)
def test_equal_weights_give_equal_networks_in_all_three_layouts(reference, shared, path):
    name, times = TWINS[reference]
    state = references.state_dict(thin(references.key_list(shared, reference), times), 1.0)
    renamed = pyslowfast.named_by_pyslowfast(state)
    file = write_blobs(path, pyslowfast.named_by_caffe2(renamed).items())
    expected = convert(name, state, width=64 // times)
    for source in ({"model_state": renamed, "epoch": 3}, file):
        found = convert(name, source, width=64 // times)
        assert (found.report.missing, found.report.unused) == ((), ())
        assert found.options == expected.options
        assert (found.mean, found.std) == (expected.mean, expected.std)
        assert same(found.variables, expected.variables)


@pytest.mark.parametrize("reference", ["slowfast-50-4x16", "psf-i3d-r50", "psf-i3d-r50-nl5"])
def test_every_blob_of_caffe2_is_mapped_to_a_path(reference, shared):
    keys = references.key_list(shared, reference)
    if reference.startswith("slowfast"):
        keys = pyslowfast.named_by_pyslowfast(keys)
    names = pyslowfast.named_by_caffe2(keys)
    zeros = {name: np.broadcast_to(np.float32(0), shape) for name, shape in names.items()}
    network, options = references.NETWORKS[reference]
    found = convert(network, pyslowfast.as_read(zeros))
    assert found.options == options
    assert (found.report.missing, found.report.unused) == ((), ())
    assert len(jax.tree.leaves(found.variables)) == len(names)


@pytest.mark.parametrize("size", ["s", pytest.param("l", marks=pytest.mark.slow)])
def test_every_key_of_x3d_is_mapped_to_a_path(size, shared):
    keys = pyslowfast.named_by_pyslowfast(references.key_list(shared, f"x3d-{size}"))
    keys = pyslowfast.with_norm_in_first_shortcut(keys)
    zeros = {key: np.broadcast_to(np.float32(0), shape) for key, shape in keys.items()}
    found = convert(f"x3d_{size}", {"model_state": zeros})
    assert found.options == {"variant": "mmaction2"}
    assert found.report.layout == "PySlowFast X3D"
    assert (found.report.missing, found.report.unused) == ((), ())


def test_image_weights_with_kernels_of_one_frame_are_read(shared):
    """R50_IN1K.pyth has 3D kernels too: it was made by SlowOnly's code with one frame."""
    keys = pyslowfast.named_by_pyslowfast(references.key_list(shared, "slowonly-50"))
    still = {key: (*s[:2], 1, *s[3:]) if len(s) == 5 else s for key, s in keys.items()}
    found = convert("resnet_50", {k: np.broadcast_to(np.float32(0), s) for k, s in still.items()})
    assert found.report.layout == "PySlowFast"
    assert (found.report.missing, found.report.unused) == ((), ())
    assert found.mean == (0.485, 0.456, 0.406)


def test_the_names_of_x3d_are_those_of_an_independent_list(shared):
    """MMAction2's file was ported from PySlowFast's, so it has tensors of the same shapes."""
    keys = pyslowfast.named_by_pyslowfast(references.key_list(shared, "x3d-m"))
    keys = pyslowfast.with_norm_in_first_shortcut(keys)
    ported = references.key_list(shared, "mm-x3d-m")

    def sizes(keys):
        return sorted(
            tuple(n for n in shape if n > 1)
            for key, shape in keys.items()
            if not key.endswith("num_batches_tracked")
        )

    assert sizes(keys) == sizes(ported)


def test_pickles_of_python_2_are_read_as_python_reads_them(path):
    rng = np.random.default_rng(0)
    blobs = {
        "conv1_w": rng.random((2, 3, 1, 4, 5), np.float32),
        "res_conv1_bn_riv": rng.random(7, np.float32),
        "pred_b": rng.random(3, np.float32).astype(np.float64),
    }
    write_blobs(path, blobs.items())
    with path.open("rb") as file:
        theirs = pickle.load(file, encoding="latin1")["blobs"]
    assert {*theirs} == {*blobs, "conv1_w_momentum", "lr"}
    found = read_tensors(path)
    wanted = {"conv1.weight": "conv1_w", "res_conv1_bn.running_var": "res_conv1_bn_riv"}
    wanted["pred.bias"] = "pred_b"
    assert found.keys() == wanted.keys()
    for key, name in wanted.items():
        assert found[key].dtype == np.float32
        np.testing.assert_array_equal(found[key], theirs[name].astype(np.float32))


@pytest.mark.parametrize("protocol", [2, 4])
def test_blobs_of_python_3_are_read_without_running_code(path, tmp_path, protocol):
    kernel = np.ones((1, 2, 3), np.float32)
    path.write_bytes(pickle.dumps({"blobs": {"conv1_w": kernel}}, protocol=protocol))
    np.testing.assert_array_equal(read_tensors(path)["conv1.weight"], kernel)
    marker = tmp_path / "marker"
    code = Payload(exec, f"open({str(marker)!r}, 'w').close()")
    path.write_bytes(pickle.dumps({"blobs": {"conv1_w": code}}, protocol=protocol))
    with pytest.raises(CheckpointError, match="asks to run"):
        read_tensors(path)
    assert not marker.exists()


@pytest.mark.parametrize("kept", [40, 300, -1])
def test_blobs_that_were_cut_short_are_refused(path, kept):
    data = write_blobs(path, [("conv1_w", np.ones(100, "<f4"))]).read_bytes()
    path.write_bytes(data[:kept])
    with pytest.raises(CheckpointError, match="damaged"):
        read_tensors(path)
