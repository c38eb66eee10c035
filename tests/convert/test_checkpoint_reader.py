"""Tests that checkpoints are read in all formats that PyTorch and safetensors write."""

import argparse
import collections
import subprocess
import sys
import zipfile
from pathlib import Path

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from tests.convert.pickles import (
    TWELVE,
    V2,
    assert_same,
    call,
    literal,
    mapping,
    named,
    pickled,
    read_one,
    storage,
    tensor,
    write,
    write_legacy,
    write_zip,
)
from vidjax.convert.checkpoint_reader import CheckpointError, read_tensors


@pytest.mark.parametrize(
    ("kind", "block", "expected"),
    [
        ("Float", np.array([1.5, -2, np.inf], "<f4"), np.array([1.5, -2, np.inf], np.float32)),
        ("Double", np.array([1.5, -2, 3], "<f8"), np.array([1.5, -2, 3], np.float32)),
        ("Half", np.array([0x3C00, 0xC000, 0x3555], "<u2"), np.float32([1, -2, 0.33325195])),
        ("BFloat16", np.array([0x3F80, 0xC000, 0x3EAB], "<u2"), np.float32([1, -2, 0.33398438])),
        ("Long", np.array([1, -2, 2**40], "<i8"), np.array([1, -2, 2**40], np.int64)),
        ("Int", np.array([1, -2, 3], "<i4"), np.array([1, -2, 3], np.int32)),
        ("Short", np.array([1, -2, 3], "<i2"), np.array([1, -2, 3], np.int16)),
        ("Char", np.array([1, -2, 3], "i1"), np.array([1, -2, 3], np.int8)),
        ("Byte", np.array([1, 255, 3], "u1"), np.array([1, 255, 3], np.uint8)),
        ("Bool", np.array([1, 0, 1], "u1"), np.array([True, False, True])),
    ],
)
def test_number_types(form, path, kind, block, expected):
    got = read_one(form, path, tensor(form, (3,), (1,), kind=kind, numel=3), block)
    assert got.dtype == expected.dtype
    assert got.dtype.isnative
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    ("size", "stride", "offset", "expected"),
    [
        ((3, 4), (4, 1), 0, TWELVE.reshape(3, 4)),
        ((4, 3), (1, 4), 0, TWELVE.reshape(3, 4).T),
        ((2, 2), (4, 2), 5, TWELVE.reshape(3, 4)[1:, 1::2]),
        ((), (), 11, TWELVE[11]),
        ((1, 1), (99, 99), 11, TWELVE[11:].reshape(1, 1)),
        ((0, 5), (5, 1), 0, np.zeros((0, 5))),
        ((2, 3), (0, 1), 9, np.broadcast_to(TWELVE[9:], (2, 3))),
    ],
)
def test_strides(form, path, size, stride, offset, expected):
    got = read_one(form, path, tensor(form, size, stride, offset))
    assert got.shape == size
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("rebuild", [V2, "torch._utils._rebuild_tensor"])
def test_parameters_and_both_rebuilders(form, path, rebuild):
    inner = tensor(form, (3, 4), (4, 1), rebuild=rebuild)
    hooks = call("collections.OrderedDict")
    one = call("torch._utils._rebuild_parameter", inner, literal(True), hooks)
    np.testing.assert_array_equal(read_one(form, path, one), TWELVE.reshape(3, 4))


def test_size_may_be_a_torch_size(form, path):
    size = call("torch.Size", literal((3, 4)))
    stored = storage("Float", "0", 12, *([None] if form == "legacy" else []))
    hooks = call("collections.OrderedDict")
    one = call(V2, stored, literal(0), size, literal((4, 1)), literal(False), hooks)
    assert read_one(form, path, one).shape == (3, 4)


@pytest.mark.parametrize("kind", ["Float", "Half"])
def test_shared_storage_is_read_once_and_cannot_be_written(form, path, kind):
    tree = mapping(
        a=tensor(form, (12,), (1,), kind=kind),
        b=tensor(form, (2,), (6,), 3, kind=kind),
        c=tensor(form, (1,), (1,), 4, kind=kind),
    )
    block = TWELVE.astype({"Float": "<f4", "Half": "<f2"}[kind])
    got = read_tensors(write(form, path, tree, {"0": block}))
    assert_same(got, {"a": TWELVE, "b": TWELVE[3::6], "c": TWELVE[4:5]})
    assert np.shares_memory(got["a"], got["b"])
    with pytest.raises(ValueError, match="read-only"):
        got["b"][0] = 1


def test_small_repeats_are_read(form, path):
    got = read_one(form, path, tensor(form, (2**20,), (0,), 3))
    assert got.shape == (2**20,)
    assert got[2**19] == 3


def test_several_storages_with_their_own_types(form, path):
    tree = mapping(
        long=tensor(form, (2,), (1,), kind="Long", key="7", numel=2),
        half=tensor(form, (2,), (1,), kind="Half", key="31", numel=2),
    )
    blocks = {"31": np.array([1, 2], "<f2"), "7": np.array([3, 4], "<i8")}
    got = read_tensors(write(form, path, tree, blocks))
    assert_same(got, {"long": np.int64([3, 4]), "half": np.float32([1, 2])})


def test_state_dict_with_its_metadata(form, path):
    tree = call("collections.OrderedDict") + b"(" + literal("w") + tensor(form, (2,), (1,)) + b"u"
    tree += mapping(_metadata=call("collections.OrderedDict")) + b"b"
    assert_same(read_tensors(write(form, path, tree, {"0": TWELVE})), {"w": TWELVE[:2]})


def test_ordered_dict_of_python_2(form, path):
    pairs = b"](](" + literal("w") + tensor(form, (2,), (1,)) + b"ee"
    tree = call("collections.OrderedDict", pairs)
    assert_same(read_tensors(write(form, path, tree, {"0": TWELVE})), {"w": TWELVE[:2]})


def test_byte_strings_of_python_2(form, path):
    note = b"U\x01k" + b"U\x02\xff\xfe"  # short byte strings, one of them not text
    tree = b"}(" + b"U\x01w" + tensor(form, (2,), (1,)) + note + b"u"
    assert_same(read_tensors(write(form, path, tree, {"0": TWELVE})), {"w": TWELVE[:2]})


def test_legacy_views(path):
    stored = storage("Float", "0", 12, ("view", 3, 5))
    tree = mapping(w=call(V2, stored, *map(literal, (1, (2,), (3,), False, None))))
    got = read_tensors(write_legacy(path, tree, {"0": TWELVE}))
    assert_same(got, {"w": TWELVE[3:8][1::3]})


@pytest.mark.parametrize("view", [("view", 8, 5), ("view", -1, 5), ("view", 3, -1)])
def test_legacy_views_must_lie_inside_their_storage(path, view):
    tree = mapping(w=call(V2, storage("Float", "0", 12, view), *map(literal, (0, (1,), (1,)))))
    with pytest.raises(CheckpointError, match="'w'.*truncated"):
        read_tensors(write_legacy(path, tree, {"0": TWELVE}))


def test_zip_root_may_have_any_name_and_no_byteorder(path):
    tree = mapping(w=tensor("zip", (12,), (1,)))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("r3d-50 (été)/data.pkl", pickled(tree))
        archive.writestr("r3d-50 (été)/data/0", TWELVE.tobytes())
    assert_same(read_tensors(str(path)), {"w": TWELVE})


# Other contents beside the tensors.


@pytest.mark.parametrize("keys", [(), ("state_dict",), ("model_state",), ("model_state_dict",)])
@pytest.mark.parametrize("outer", [(), ("model",), ("state_dict",)])
def test_finds_the_state_dict(form, path, keys, outer):
    tree = mapping(w=tensor(form, (12,), (1,)), note=literal("best"))
    for key in (*keys, *outer):
        tree = mapping(**{"epoch": literal(1), key: tree, "optimizer": mapping(lr=literal(0.1))})
    assert_same(read_tensors(write(form, path, tree, {"0": TWELVE})), {"w": TWELVE})


def test_the_state_dict_is_preferred_to_tensors_beside_it():
    nested = {"epoch": np.array(3), "model": {"type": "r3d"}, "state_dict": {"w": TWELVE}}
    assert_same(read_tensors(nested), {"w": TWELVE})
    assert_same(read_tensors({"model": {"type": "r3d"}, "w": TWELVE}), {"w": TWELVE})


@pytest.mark.parametrize("tree", [{"model": {"model": {"model": {"w": TWELVE}}}}, {}, {0: TWELVE}])
def test_no_state_dict(tree):
    with pytest.raises(CheckpointError, match="the mapping has no tensors.*model_state"):
        read_tensors(tree)


def test_the_error_without_a_state_dict_lists_the_contents(form, path):
    tree = mapping(epoch=literal(1), weights=mapping(w=tensor(form, (12,), (1,))))
    with pytest.raises(CheckpointError, match=r"weights.pth has no tensors.*'epoch', 'weights'"):
        read_tensors(write(form, path, tree, {"0": TWELVE}))
    with pytest.raises(CheckpointError, match=r"weights.pth has no tensors.*a list"):
        read_tensors(write(form, path, b"](" + tensor(form, (12,), (1,)) + b"e", {"0": TWELVE}))


def test_a_tree_that_contains_itself(form, path):
    tree = b"}q\x01(" + literal("model") + b"h\x01" + b"u"
    with pytest.raises(CheckpointError, match="has no tensors"):
        read_tensors(write(form, path, tree))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("module.a", "module.b"), ("a", "b")),
        (("module.module.a", "module.module.b"), ("a", "b")),
        (("module.model.a", "module.model.b"), ("a", "b")),
        (("_orig_mod.model.module.a", "_orig_mod.model.module.b"), ("a", "b")),
        (("model.a", "module.b"), ("model.a", "module.b")),
        (("model.a", "model."), ("model.a", "model.")),
        (("module.a", "module.module.b"), ("a", "module.b")),
        (("module.a", "b"), ("module.a", "b")),
        (("modules.a", "modules.b"), ("modules.a", "modules.b")),
    ],
)
def test_prefixes_of_wrapped_networks_are_removed(names, expected):
    assert tuple(read_tensors(dict.fromkeys(names, TWELVE))) == expected


@pytest.mark.parametrize(
    "record",
    [
        np.float64(3),
        np.float32(3),
        np.arange(3.0),
        np.dtype("f4"),
        argparse.Namespace(lr=0.1, arch="r3d"),
        collections.defaultdict(list, {"a": [1]}),
        collections.defaultdict(float, {"a": 1.0}),
        collections.OrderedDict(a=1),
        {1, 2},
        b"bytes",
        [None, True, 2**80, 1.5, "text", (1,)],
    ],
    ids=lambda record: type(record).__name__,
)
def test_harmless_records_are_skipped(form, path, record):
    new = literal(record)
    for spelling in (new, new.replace(b"numpy._core.", b"numpy.core.")):  # before NumPy 2
        tree = mapping(best=spelling, w=tensor(form, (12,), (1,)))
        assert_same(read_tensors(write(form, path, tree, {"0": TWELVE})), {"w": TWELVE})


@pytest.mark.parametrize("package", ["pytorch_lightning", "lightning.pytorch", "lightning_fabric"])
def test_lightnings_training_state_is_skipped(form, path, package):
    """Lightning stores objects for its settings and callbacks; none of them is created."""
    settings = call(f"{package}.utilities.parsing.AttributeDict", literal({"lr": 0.1}))
    callback = named(f"{package}.callbacks.model_checkpoint.ModelCheckpoint")
    state = mapping(**{"model.w": tensor(form, (12,), (1,))})
    tree = mapping(epoch=literal(3), hyper_parameters=settings, callback=callback, state_dict=state)
    assert_same(read_tensors(write(form, path, tree, {"0": TWELVE})), {"w": TWELVE})


@pytest.mark.parametrize("name", ["lightning", "lightnings.os.system", "os.lightning.x"])
def test_only_lightnings_own_names_are_skipped(form, path, name):
    module, _, attribute = name.rpartition(".")
    write(form, path, mapping(x=named(f"{module or 'x'}.{attribute}")))
    with pytest.raises(CheckpointError, match="asks to run"):
        read_tensors(path)


@pytest.mark.parametrize("name", ["float16", "bfloat16", "int64", "bool", "long", "quint8"])
def test_dtypes_and_devices_are_skipped(form, path, name):
    tree = mapping(
        dtype=named(f"torch.{name}"),
        device=call("torch.device", literal("cuda"), literal(0)),
        w=tensor(form, (12,), (1,)),
    )
    assert_same(read_tensors(write(form, path, tree, {"0": TWELVE})), {"w": TWELVE})


# Contents that are refused.


@pytest.mark.parametrize("kind", [str, Path])
def test_missing_path(path, kind):
    with pytest.raises(FileNotFoundError, match="weights.pth"):
        read_tensors(kind(path))


def test_directory(tmp_path):
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        read_tensors(tmp_path)


# safetensors.


def test_mapping_of_arrays():
    state = {
        "numpy": TWELVE.reshape(3, 4).T,
        "big": TWELVE.astype(">f4"),
        "int": np.array([1, 2], ">i2"),
        "double": np.array(1.5),
        "bfloat16": TWELVE.astype(ml_dtypes.bfloat16),
        "jax": jnp.arange(3.0),
        "jax16": jnp.arange(3, dtype=jnp.bfloat16),
        "scalar": np.float64(3),
        "epoch": 3,
        5: TWELVE,
    }
    expected = {
        "numpy": TWELVE.reshape(3, 4).T,
        "big": TWELVE,
        "int": np.int16([1, 2]),
        "double": np.array(1.5, np.float32),
        "bfloat16": TWELVE,
        "jax": TWELVE[:3],
        "jax16": TWELVE[:3],
    }
    assert_same(read_tensors(state), expected)


def test_mapping_is_copied():
    state = {"w": TWELVE.copy()}
    got = read_tensors(state)
    state["w"][:] = 0
    assert_same(got, {"w": TWELVE})


@pytest.mark.parametrize("dtype", [np.complex64, object, "U3"])
def test_mapping_with_other_numbers(dtype):
    with pytest.raises(CheckpointError, match="the mapping has 'w', which cannot be read: Cannot"):
        read_tensors({"w": np.zeros(2, dtype)})


def test_needs_no_pytorch(path):
    write_zip(path, mapping(w=tensor("zip", (12,), (1,))), {"0": TWELVE})
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from vidjax.convert.checkpoint_reader import read_tensors\n"
        f"print(read_tensors({str(path)!r})['w'].sum())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "66.0", done.stderr


# Files of PyTorch itself.
