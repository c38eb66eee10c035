"""Checkpoints are written by PyTorch, or put together here byte by byte, and read back."""

import argparse
import builtins
import collections
import contextlib
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from vidjax.convert.reading import CheckpointError, read_tensors

FORMS = ("zip", "legacy")
V2 = "torch._utils._rebuild_tensor_v2"
JPEG = bytes.fromhex("ffd8ffe000104a46494600010101006000600000") + bytes(600)


# A pickle without PyTorch: the opcodes that PyTorch writes.
def literal(value):
    return pickle.dumps(value, protocol=2)[2:-1]


def named(name):
    module, _, attribute = name.rpartition(".")
    return f"c{module}\n{attribute}\n".encode()


def several(*items):
    return b"(" + b"".join(items) + b"t"


def call(name, *arguments):
    return named(name) + several(*arguments) + b"R"


def mapping(**entries):
    return b"}(" + b"".join(literal(key) + value for key, value in entries.items()) + b"u"


def pickled(body):
    return b"\x80\x02" + body + b"."


def storage(kind, key, numel, *view):
    parts = [literal("storage"), named(f"torch.{kind}Storage")]
    return several(*parts, *map(literal, (key, "cuda:0", numel, *view))) + b"Q"


def tensor(form, size, stride, offset=0, kind="Float", key="0", numel=12, rebuild=V2, more=()):
    stored = storage(kind, key, numel, *([None] if form == "legacy" else []))
    hooks = call("collections.OrderedDict")
    flags = [] if rebuild.endswith("_tensor") else [literal(False), hooks]
    return call(rebuild, stored, *map(literal, (offset, size, stride)), *flags, *more)


def write_zip(path, tree, blocks, root="archive", **members):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{root}/data.pkl", pickled(tree))
        archive.writestr(f"{root}/byteorder", members.pop("byteorder", "little"))
        for key, block in blocks.items():
            archive.writestr(f"{root}/data/{key}", np.asarray(block).tobytes())
        archive.writestr(f"{root}/version", "3\n")
    return path


def write_legacy(path, tree, blocks, system=None):
    system = system or literal({"protocol_version": 1001, "little_endian": True})
    head = [literal(0x1950A86A20F9469CFC6C), literal(1001), system, tree, literal([*blocks])]
    raw = [struct.pack("<q", np.size(b)) + np.asarray(b).tobytes() for b in blocks.values()]
    path.write_bytes(b"".join([*map(pickled, head), *raw]))
    return path


def write(form, path, tree, blocks=None):
    return {"zip": write_zip, "legacy": write_legacy}[form](path, tree, blocks or {})


TWELVE = np.arange(12, dtype="<f4")


@pytest.fixture(params=FORMS)
def form(request):
    return request.param


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.pth"


def read_one(form, path, one, block=TWELVE):
    return read_tensors(write(form, path, mapping(w=one), {"0": block}))["w"]


def assert_same(actual, expected):
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        assert actual[name].dtype == value.dtype, name
        np.testing.assert_array_equal(actual[name], value, err_msg=name)


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


def test_repeats_take_no_memory(form, path):
    assert read_one(form, path, tensor(form, (2**40,), (0,), 3))[2**39] == 3


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


def test_strings_of_python_2(form, path):
    note = b"U\x01k" + b"U\x02\xff\xfe"  # short byte strings, one of them not text
    tree = b"}(" + b"U\x01w" + tensor(form, (2,), (1,)) + note + b"u"
    assert_same(read_tensors(write(form, path, tree, {"0": TWELVE})), {"w": TWELVE[:2]})


def test_legacy_views(path):
    stored = storage("Float", "0", 12, ("view", 3, 5))
    tree = mapping(w=call(V2, stored, *map(literal, (1, (2,), (3,), False, None))))
    got = read_tensors(write_legacy(path, tree, {"0": TWELVE}))
    assert_same(got, {"w": TWELVE[3:8][1::3]})


@pytest.mark.parametrize("view", [("view", 8, 5), ("view", -1, 5), ("view", 3, -1)])
def test_legacy_views_stay_inside(path, view):
    tree = mapping(w=call(V2, storage("Float", "0", 12, view), *map(literal, (0, (1,), (1,)))))
    with pytest.raises(CheckpointError, match="'w'.*truncated"):
        read_tensors(write_legacy(path, tree, {"0": TWELVE}))


def test_zip_root_may_have_any_name_and_no_byteorder(path):
    tree = mapping(w=tensor("zip", (12,), (1,)))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("r3d-50 (été)/data.pkl", pickled(tree))
        archive.writestr("r3d-50 (été)/data/0", TWELVE.tobytes())
    assert_same(read_tensors(str(path)), {"w": TWELVE})


# What may lie around the tensors.


@pytest.mark.parametrize("keys", [(), ("state_dict",), ("model_state",), ("model_state_dict",)])
@pytest.mark.parametrize("outer", [(), ("model",), ("state_dict",)])
def test_finds_the_state_dict(form, path, keys, outer):
    tree = mapping(w=tensor(form, (12,), (1,)), note=literal("best"))
    for key in (*keys, *outer):
        tree = mapping(**{"epoch": literal(1), key: tree, "optimizer": mapping(lr=literal(0.1))})
    assert_same(read_tensors(write(form, path, tree, {"0": TWELVE})), {"w": TWELVE})


def test_state_dict_goes_before_tensors_beside_it():
    nested = {"epoch": np.array(3), "model": {"type": "r3d"}, "state_dict": {"w": TWELVE}}
    assert_same(read_tensors(nested), {"w": TWELVE})
    assert_same(read_tensors({"model": {"type": "r3d"}, "w": TWELVE}), {"w": TWELVE})


@pytest.mark.parametrize("tree", [{"model": {"model": {"model": {"w": TWELVE}}}}, {}, {0: TWELVE}])
def test_no_state_dict(tree):
    with pytest.raises(CheckpointError, match="the mapping has no tensors.*model_state"):
        read_tensors(tree)


def test_no_state_dict_says_what_there_is(form, path):
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
        (("module.model.a", "module.model.b"), ("model.a", "model.b")),
        (("module.a", "module.module.b"), ("a", "module.b")),
        (("module.a", "b"), ("module.a", "b")),
        (("modules.a", "modules.b"), ("modules.a", "modules.b")),
    ],
)
def test_prefix_of_data_parallel(names, expected):
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
def test_harmless_records_are_passed_over(form, path, record):
    new = literal(record)
    for spelling in (new, new.replace(b"numpy._core.", b"numpy.core.")):  # before NumPy 2
        tree = mapping(best=spelling, w=tensor(form, (12,), (1,)))
        assert_same(read_tensors(write(form, path, tree, {"0": TWELVE})), {"w": TWELVE})


@pytest.mark.parametrize("name", ["float16", "bfloat16", "int64", "bool", "long", "quint8"])
def test_dtypes_and_devices_are_passed_over(form, path, name):
    tree = mapping(
        dtype=named(f"torch.{name}"),
        device=call("torch.device", literal("cuda"), literal(0)),
        w=tensor(form, (12,), (1,)),
    )
    assert_same(read_tensors(write(form, path, tree, {"0": TWELVE})), {"w": TWELVE})


# What a file may not do.


class Payload:
    """Calls `function(*arguments)` when a trusting reader loads it."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def payloads(marker):
    touch, at = f"open({str(marker)!r}, 'w').close()", literal(str(marker))
    return {
        f"{os.name}.system": literal(Payload(os.system, f"touch {marker}")),
        "os.system": call("os.system", literal(f"touch {marker}")),
        "__builtin__.eval": literal(Payload(eval, touch)),
        "builtins.exec": call("builtins.exec", literal(touch)),
        "builtins.open": call("builtins.open", at, literal("w")),
        "subprocess.Popen": call("subprocess.Popen", literal(["touch", str(marker)])),
        "os.mkdir": literal("os") + literal("mkdir") + b"\x93" + several(at) + b"R",
        "os.makedirs": b"(" + at + b"ios\nmakedirs\n",
    }


PAYLOADS = tuple(payloads("marker"))
TRUSTED = [name for name in PAYLOADS if name != "subprocess.Popen"]  # which warns and goes on


@pytest.mark.parametrize("name", TRUSTED)
def test_the_payloads_do_work_on_a_trusting_reader(tmp_path, name):
    marker = tmp_path / "marker"
    opened = pickle.loads(pickled(payloads(marker)[name]))
    if isinstance(opened, io.IOBase):
        opened.close()
    assert marker.exists()


@pytest.mark.parametrize("name", PAYLOADS)
def test_code_is_not_run(form, path, name):
    marker = path.with_name("marker")
    tree = mapping(w=tensor(form, (12,), (1,)), extra=payloads(marker)[name])
    write(form, path, tree, {"0": TWELVE})
    with pytest.raises(CheckpointError, match=f"weights.pth asks to run '{name}' on loading"):
        read_tensors(path)
    assert not marker.exists()


@pytest.mark.parametrize("name", PAYLOADS)
def test_code_is_not_run_outside_the_tree_of_a_legacy_file(path, name):
    marker = path.with_name("marker")
    payload = payloads(marker)[name]
    tree = mapping(w=tensor("legacy", (12,), (1,)))
    whole = write_legacy(path, tree, {"0": TWELVE}).read_bytes()
    keys = pickled(literal(["0"]))
    system = write_legacy(path, tree, {"0": TWELVE}, system=payload).read_bytes()
    for content in (system, whole.replace(keys, pickled(payload)), pickled(payload)):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="asks to run|is neither a PyTorch"):
            read_tensors(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "name",
    [
        "builtins.getattr",
        "builtins.__import__",
        "torch.load",
        "torch.storage._load_from_bytes",
        "torch._utils._rebuild_qtensor",
        "torch._utils._rebuild_tensor_v2.__globals__",
        "torch.nn.modules.container.Sequential",
        "numpy.load",
        "numpy.core.multiarray.frombuffer",
        "collections.OrderedDict.fromkeys",
        "functools.partial",
        "operator.attrgetter",
        "vidjax.convert.reading.read_tensors",
        "models.resnet.ResNet",
    ],
)
def test_other_names_are_refused(form, path, name):
    with pytest.raises(CheckpointError, match=f"asks to run '{name}'.*save its state_dict anew"):
        read_tensors(write(form, path, mapping(w=named(name))))


@pytest.mark.parametrize("kind", ["QInt8", "QUInt8", "QInt32", "ComplexFloat", "ComplexDouble"])
def test_complex_and_quantised_storages_are_refused(form, path, kind):
    tree = mapping(w=tensor(form, (1,), (1,), kind=kind, numel=1))
    with pytest.raises(CheckpointError, match=f"weights.pth holds {kind} numbers"):
        read_tensors(write(form, path, tree, {"0": TWELVE}))


@pytest.mark.parametrize("name", [V2, "collections.OrderedDict", "numpy.dtype", "torch.Size"])
def test_a_file_cannot_change_the_reader(form, path, name):
    good = mapping(w=tensor(form, (12,), (1,)))
    for target in (named(name), call(name, literal(()))):
        attributes = mapping(args=literal(1), get=literal(1), __init__=named("torch.Size"))
        for state in (attributes, several(literal(None), attributes), several(attributes) + b"0N"):
            with contextlib.suppress(CheckpointError):
                read_tensors(write(form, path, mapping(x=target + state + b"b"), {}))
            assert_same(read_tensors(write(form, path, good, {"0": TWELVE})), {"w": TWELVE})


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [
        ((13,), (1,), 0),
        ((12,), (1,), 1),
        ((2,), (12,), 0),
        ((1,), (1,), 12),
        ((), (), 12),
        ((3, 4), (5, 1), 0),
        ((2, 2), (2**62, 2**62), 0),
        ((2**62, 2**62), (0, 0), 0),
        ((2,), (-1,), 5),
        ((2,), (1,), -1),
        ((-2,), (1,), 0),
        ((2, 2), (1,), 0),
        ((2,), (4, 1), 0),
        ((float("nan"),), (1,), 0),
        ((2,), (float("nan"),), 0),
        ((2,), (1,), float("nan")),
        ((2.0,), (1.0,), 0),
        (("2",), (1,), 0),
        (2, 1, 0),
        ((1,) * 70, (1,) * 70, 0),
    ],
)
def test_tensors_stay_inside_their_storage(form, path, size, stride, offset):
    with pytest.raises(CheckpointError, match="weights.pth has 'w', which cannot be read: "):
        read_one(form, path, tensor(form, size, stride, offset))


def test_numbers_that_are_stored_negated_are_refused(form, path):
    one = tensor(form, (2,), (1,), more=[literal({"neg": True})])
    with pytest.raises(CheckpointError, match="'w', which cannot be read"):
        read_one(form, path, one)


# Damage.


@pytest.mark.parametrize("numel", [13, 2**40, -1])
def test_short_storage(form, path, numel):
    one = tensor(form, (2,), (1,), numel=numel)
    with pytest.raises(CheckpointError, match="'w', which cannot be read: its storage is truncat"):
        read_one(form, path, one)


def test_missing_storage(form, path):
    tree = mapping(w=tensor(form, (2,), (1,), key="5"))
    with pytest.raises(CheckpointError, match="weights.pth .*5"):
        read_tensors(write(form, path, tree, {"0": TWELVE} if form == "zip" else {}))


def test_truncated_anywhere(form, path):
    tree = mapping(w=tensor(form, (3, 4), (4, 1)), v=tensor(form, (2,), (1,), key="1", numel=2))
    whole = write(form, path, tree, {"0": TWELVE, "1": TWELVE[:2]}).read_bytes()
    assert set(read_tensors(path)) == {"w", "v"}
    for length in range(0, len(whole), 3):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="weights.pth "):
            read_tensors(path)


def test_truncated_behind_the_state_dict(path):
    tree = mapping(
        optimizer=mapping(m=tensor("legacy", (12,), (1,), key="1")),
        state_dict=mapping(w=tensor("legacy", (12,), (1,))),
    )
    whole = write_legacy(path, tree, {"0": TWELVE, "1": TWELVE}).read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(CheckpointError, match="is truncated: 47 of 48 bytes of 1"):
        read_tensors(path)


@pytest.mark.parametrize("count", [-1, -4, 2**62])
def test_impossible_lengths_in_a_legacy_file(path, count):
    tree = mapping(w=tensor("legacy", (12,), (1,), kind="Byte"))
    whole = write_legacy(path, tree, {"0": np.zeros(12, "u1")}).read_bytes()
    path.write_bytes(whole[:-20] + struct.pack("<q", count) + whole[-12:])
    with pytest.raises(CheckpointError, match="is truncated|seems to be damaged"):
        read_tensors(path)


def test_changed_bytes_of_a_zip_are_noticed(path):
    whole = bytearray(
        write_zip(path, mapping(w=tensor("zip", (12,), (1,))), {"0": TWELVE}).read_bytes()
    )
    whole[whole.index(TWELVE.tobytes()) + 7] ^= 1
    path.write_bytes(whole)
    with pytest.raises(CheckpointError, match="'w', which cannot be read: Bad CRC"):
        read_tensors(path)


def test_changed_bytes_of_a_pickle_raise_one_error_or_none(form, path):
    tree = mapping(w=tensor(form, (3, 4), (4, 1)), best=literal(np.float64(3)))
    body = pickled(tree)
    for position in range(2, len(body)):
        changed = bytes([*body[:position], body[position] ^ 0x2A, *body[position + 1 :]])
        write(form, path, changed[2:-1], {"0": TWELVE})
        with contextlib.suppress(CheckpointError):
            read_tensors(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"a text file, longer than a few bytes\n" * 20, JPEG, b"\x89PNG\r\n\x1a\n"],
    ids=["empty", "PK", "text", "jpeg", "png"],
)
def test_other_files(path, content):
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="weights.pth (is neither|seems to be damaged)"):
        read_tensors(path)


def test_other_archives(path):
    np.savez(path.with_suffix(".npz"), w=TWELVE)
    with pytest.raises(CheckpointError, match="weights.npz is a zip file, but torch.save did not"):
        read_tensors(path.with_suffix(".npz"))
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("sys_info"), io.BytesIO())
    with pytest.raises(CheckpointError, match="weights.pth is neither .* a tar file"):
        read_tensors(path)


def test_compressed_zip(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickled(mapping(w=tensor("zip", (12,), (1,)))))
        archive.writestr("archive/data/0", TWELVE.tobytes())
    with pytest.raises(CheckpointError, match="is a zip file, but torch.save did not"):
        read_tensors(path)


def test_big_endian_zip(path):
    write_zip(path, mapping(w=tensor("zip", (12,), (1,))), {"0": TWELVE}, byteorder="big")
    with pytest.raises(CheckpointError, match="weights.pth is big-endian"):
        read_tensors(path)


@pytest.mark.parametrize("kind", [str, Path])
def test_missing_path(path, kind):
    with pytest.raises(FileNotFoundError, match="weights.pth"):
        read_tensors(kind(path))


def test_directory(tmp_path):
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        read_tensors(tmp_path)


# safetensors.


def write_safetensors(path, blocks, **changes):
    header, position = {"__metadata__": {"format": "pt"}}, 0
    for name, (dtype, shape, raw) in blocks.items():
        end = position + len(raw)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, end]} | changes
        position = end
    text = json.dumps(header).encode()
    raws = b"".join(raw for *_, raw in blocks.values())
    path.write_bytes(struct.pack("<Q", len(text)) + text + raws)
    return path


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_safetensors_round_trip(tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"
    tensors = {"module.w": TWELVE.reshape(3, 4), "module.n": np.array(7), "module.e": TWELVE[:0]}
    safetensors.numpy.save_file(tensors, path)
    assert_same(read_tensors(path), {name[7:]: value for name, value in tensors.items()})


def test_safetensors_number_types(path):
    blocks = {
        "bfloat16": ("BF16", [2, 1], struct.pack("<2H", 0x3F80, 0xC000)),
        "half": ("F16", [2], struct.pack("<2H", 0x3C00, 0xC000)),
        "double": ("F64", [], struct.pack("<d", 1.5)),
        "bool": ("BOOL", [2], b"\x00\x01"),
        "short": ("I16", [1], struct.pack("<h", -2)),
    }
    expected = {
        "bfloat16": np.float32([[1], [-2]]),
        "half": np.float32([1, -2]),
        "double": np.array(1.5, np.float32),
        "bool": np.array([False, True]),
        "short": np.int16([-2]),
    }
    assert_same(read_tensors(write_safetensors(path, blocks)), expected)


def test_safetensors_header_of_a_pickle_like_length(path):
    # 0x0280 bytes: the file begins like a pickle of protocol 2.
    text = json.dumps({"w": {"dtype": "F32", "shape": [12], "data_offsets": [0, 48]}}).encode()
    path.write_bytes(struct.pack("<Q", 0x0280) + text.ljust(0x0280) + TWELVE.tobytes())
    assert_same(read_tensors(path), {"w": TWELVE})


@pytest.mark.parametrize(
    "changes",
    [{"dtype": "X9"}, {"dtype": "C64"}, {"shape": [13]}, {"data_offsets": [0, 99]}, {"shape": "a"}],
)
def test_bad_safetensors_header(path, changes):
    write_safetensors(path, {"w": ("F32", [12], TWELVE.tobytes())}, **changes)
    with pytest.raises(CheckpointError, match="weights.pth "):
        read_tensors(path)


def test_truncated_safetensors(path):
    whole = write_safetensors(path, {"w": ("F32", [12], TWELVE.tobytes())}).read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="weights.pth "):
            read_tensors(path)


# Mappings.


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
        "from vidjax.convert.reading import read_tensors\n"
        f"print(read_tensors({str(path)!r})['w'].sum())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "66.0", done.stderr


# Files of PyTorch itself.


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def save(torch, form, path, value, protocol=2):
    zipped = form == "zip"
    torch.save(value, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    return path


def numbers(torch, state):
    """By PyTorch's own conversion, for comparison."""
    return {
        k: v.detach().float().numpy() if v.is_floating_point() else v.detach().numpy()
        for k, v in state.items()
    }


def examples(torch):
    torch.manual_seed(0)
    base = torch.randn(4, 6, 5)
    plain = {str(d): torch.arange(5).to(d) for d in (torch.int8, torch.int16, torch.int32)}
    return collections.OrderedDict(
        plain,
        base=base,
        shared=base[1:, ::2],
        transposed=base.transpose(0, 2),
        channels_last=torch.randn(2, 3, 4, 5, 6).to(memory_format=torch.channels_last_3d),
        expanded=torch.randn(3, 1).expand(3, 7),
        flipped=base.flip(0),
        parameter=torch.nn.Parameter(torch.randn(3, 2).T),
        frozen=torch.nn.Parameter(torch.randn(3), requires_grad=False),
        half=torch.randn(7).half(),
        bfloat16=torch.randn(7, 2).bfloat16()[1:],
        double=torch.randn(3).double(),
        long=torch.tensor(2**40),
        bool=torch.tensor([True, False]),
        byte=torch.tensor([0, 255], dtype=torch.uint8),
        empty=torch.empty(0, 3),
        scalar=torch.tensor(1.5),
    )


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pytorch_file(torch, form, path, protocol):
    state = examples(torch)
    got = read_tensors(save(torch, form, path, state, protocol))
    assert_same(got, numbers(torch, state))


def test_pytorch_file_agrees_with_its_own_reader(torch, form, path):
    save(torch, form, path, dict(examples(torch)))
    assert_same(read_tensors(path), numbers(torch, torch.load(path, weights_only=True)))


def test_pytorch_mapping(torch):
    state = examples(torch)
    got = read_tensors({"state_dict": state})
    expected = numbers(torch, {name: value.clone() for name, value in state.items()})
    with torch.no_grad():
        state["base"].zero_()
    assert_same(got, expected)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_pytorch_training_state(torch, form, path, protocol):
    model = torch.nn.DataParallel(
        torch.nn.Sequential(torch.nn.Conv3d(3, 4, 3), torch.nn.BatchNorm3d(4))
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.randn(2, 3, 4, 4, 4)).sum().backward()
    optimizer.step()
    state = {
        "epoch": 1,
        "state_dict": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "best": np.float64(3),
        "history": np.arange(3),
        "args": argparse.Namespace(lr=0.1, betas=(0.9, 0.99)),
        "log": collections.defaultdict(list, loss=[1.0]),
        "device": torch.device("cpu"),
        "dtype": torch.bfloat16,
        "shape": torch.Size([1, 2]),
    }
    got = read_tensors(save(torch, form, path, state, protocol))
    assert_same(got, numbers(torch, model.module.state_dict()))
    assert got["1.num_batches_tracked"] == 1


def test_pytorch_whole_model_is_refused(torch, form, path):
    with pytest.raises(CheckpointError, match="asks to run 'torch.nn.modules.linear.Linear'"):
        read_tensors(save(torch, form, path, torch.nn.Linear(2, 2)))


def test_pytorch_complex_is_refused(torch, form, path):
    save(torch, form, path, {"w": torch.ones(2, dtype=torch.complex64)})
    with pytest.raises(CheckpointError, match="weights.pth holds ComplexFloat numbers"):
        read_tensors(path)


def test_pytorch_negated_numbers_are_refused(torch, form, path):
    negated = torch.tensor([1 + 2j]).conj().imag
    assert negated.is_neg()
    save(torch, form, path, {"w": torch._neg_view(torch.ones(2))})
    with pytest.raises(CheckpointError, match="'w', which cannot be read"):
        read_tensors(path)


def test_pytorch_payload_is_not_run(torch, form, path):
    marker = path.with_name("marker")
    save(torch, form, path, {"w": torch.ones(2), "x": Payload(builtins.eval, f"open({marker})")})
    with pytest.raises(CheckpointError, match="asks to run '__builtin__.eval'"):
        read_tensors(path)
    assert not marker.exists()


def test_pytorch_truncated(torch, form, path):
    whole = save(torch, form, path, examples(torch)).read_bytes()
    for part in np.linspace(0, len(whole) - 1, 60).astype(int):
        path.write_bytes(whole[:part])
        with pytest.raises(CheckpointError, match="weights.pth "):
            read_tensors(path)


def test_pytorch_safetensors(torch, path):
    writer = pytest.importorskip("safetensors.torch")
    state = {name: value.detach().clone().contiguous() for name, value in examples(torch).items()}
    writer.save_file(state, path)
    assert_same(read_tensors(path), numbers(torch, state))
