"""Fuzzes the files that networks are converted from: PyTorch's, safetensors, Flax's."""

import pickle

import numpy as np
import pytest
import safetensors.numpy

from tests.convert.pickles import TWELVE, call, literal, mapping, tensor, write_legacy, write_zip
from tests.faults.fuzz import BINARY, COUNT, TEXT, fuzz, refusing
from vidjax.convert.checkpoint_reader import read_tensors
from vidjax.convert.torch_pickles import CheckpointError

MEMORY = 64 * 2**20
# Instructions of pickles, records of zip files, and names of functions.
TOKENS = (
    *(*BINARY, *TEXT[:12]),
    *(
        bytes([code])
        for code in b"\x80\x81\x82\x8a\x8b\x8d\x8e\x92\x93\x94\x95\x96(.0125QRbcdehijloqrtu})]"
    ),
    *(
        b"cplanted\nrun\n",
        b"\x8c\x07planted\x8c\x03run\x93",
        b"iplanted\nrun\n",
        b"ctorch\nHalfStorage\n",
        b"cnumpy\nndarray\n",
        b"\x8c\x05numpy\x8c\x05dtype\x93",
        b"\x8c\x02O8",
    ),
    *(b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"data.pkl", b"data/0", b"h\0" * 40),
    *(b"]" * 2000, b"(" * 2000, b"\x85" * 2000, b'"shape":', b'"BF16"', b"[0,99999999999]"),
)


def read(file):
    with refusing(CheckpointError):
        read_tensors(file)


def two_tensors(form):
    tree = call("collections.OrderedDict") + b"(" + literal("w") + tensor(form, (3, 4), (4, 1))
    tree += literal("v") + tensor(form, (2,), (1,), key="1", numel=4, kind="Half") + b"u"
    tree += mapping(_metadata=literal({"version": 1})) + b"b"
    return mapping(epoch=literal(3), state_dict=tree)


@pytest.fixture(params=["zip", "legacy", "safetensors", "flax"])
def checkpoint(request, tmp_path):
    file = tmp_path / f"{request.param}.pth"
    blocks = {"0": TWELVE, "1": np.ones(4, "<f2")}
    if request.param == "safetensors":
        safetensors.numpy.save_file({"w": TWELVE.reshape(3, 4), "v": blocks["1"]}, file)
    elif request.param == "flax":
        stem = {"Conv_0": {"kernel": TWELVE.reshape(3, 4)}, "BatchNorm_0": {"bias": blocks["1"]}}
        tree = {
            "params": {"stem": stem},
            "batch_stats": {"stem": {"BatchNorm_0": {"mean": TWELVE}}},
        }
        file.write_bytes(pickle.dumps(tree, protocol=4))
    else:
        {"zip": write_zip, "legacy": write_legacy}[request.param](
            file, two_tensors(request.param), blocks
        )
    return file


def fuzzed(checkpoint, scratch, count):
    return fuzz(f"{__name__}:read", checkpoint, scratch, count=count, tokens=TOKENS, memory=MEMORY)


def test_mutations_of_checkpoints_are_read_or_refused(checkpoint, tmp_path):
    outcome = fuzzed(checkpoint, tmp_path, 200)
    assert outcome.refused > 50


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_thousand_mutations_of_checkpoints_are_read_or_refused(checkpoint, tmp_path):
    outcome = fuzzed(checkpoint, tmp_path, COUNT)
    assert outcome.read > 100
    assert outcome.refused > 1000
