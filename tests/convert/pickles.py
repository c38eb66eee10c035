"""Writes checkpoint files byte by byte, so that their reader is tested without PyTorch."""

import pickle
import struct
import zipfile

import numpy as np

from vidjax.convert.checkpoint_reader import read_tensors

FORMS = ("zip", "legacy")
V2 = "torch._utils._rebuild_tensor_v2"
JPEG = bytes.fromhex("ffd8ffe000104a46494600010101006000600000") + bytes(600)


# The opcodes that PyTorch writes into a pickle.
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


def read_one(form, path, one, block=TWELVE):
    return read_tensors(write(form, path, mapping(w=one), {"0": block}))["w"]


def assert_same(actual, expected):
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        assert actual[name].dtype == value.dtype, name
        np.testing.assert_array_equal(actual[name], value, err_msg=name)


def octets(data):
    """Pickles bytes as Python 2 did."""
    return b"T" + struct.pack("<i", len(data)) + data


def blob(array):
    """Pickles an array as NumPy did in Python 2."""
    empty = several(named("numpy.ndarray"), literal((0,)), octets(b"b"))
    made = named("numpy.core.multiarray._reconstruct") + empty + b"R"
    kind = octets(array.dtype.str[1:].encode())
    number = named("numpy.dtype") + several(kind, literal(0), literal(1))
    state = (literal(3), octets(b"<"), *map(literal, (None, None, None, -1, -1, 0)))
    number += b"R" + several(*state) + b"b"
    data = octets(np.ascontiguousarray(array).tobytes())
    return made + several(literal(1), literal(array.shape), number, literal(False), data) + b"b"


def write_blobs(path, blobs):
    """Writes Caffe2 blobs as Detectron's Python 2 code pickled them, with training state."""
    entries = b"".join(octets(name.encode()) + blob(array) for name, array in blobs)
    for name, kept in (("conv1_w_momentum", np.ones(2, "<f4")), ("lr", np.ones((), "<f4"))):
        entries += octets(name.encode()) + blob(kept)
    path.write_bytes(pickled(b"}(" + octets(b"blobs") + b"}(" + entries + b"uu"))
    return path


class Payload:
    """An object that calls `function(*arguments)` when `pickle.load` reads it."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call
