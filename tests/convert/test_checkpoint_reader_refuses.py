"""Tests that files are refused that would run code, are damaged or have another format."""

import contextlib
import io
import os
import pickle
import struct
import tarfile
import zipfile

import numpy as np
import pytest

from tests.convert.pickles import (
    JPEG,
    TWELVE,
    V2,
    Payload,
    assert_same,
    call,
    literal,
    mapping,
    named,
    pickled,
    read_one,
    several,
    tensor,
    write,
    write_legacy,
    write_zip,
)
from vidjax.convert.checkpoint_reader import CheckpointError, read_tensors


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
TRUSTED = [name for name in PAYLOADS if name != "subprocess.Popen"]  # which warns and continues


@pytest.mark.parametrize("name", TRUSTED)
def test_the_payloads_run_in_pickle_load(tmp_path, name):
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
def test_code_is_not_run_in_other_parts_of_a_legacy_file(path, name):
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
        "vidjax.convert.checkpoint_reader.read_tensors",
        "models.resnet.ResNet",
    ],
)
def test_other_names_are_refused(form, path, name):
    with pytest.raises(CheckpointError, match=f"asks to run '{name}'.*save its state_dict again"):
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
def test_tensors_outside_of_their_storage_are_refused(form, path, size, stride, offset):
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


def test_truncated_after_the_state_dict(path):
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


def test_changed_bytes_of_a_zip_are_detected(path):
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
