"""Tests valid and damaged safetensors files."""

import json
import struct

import numpy as np
import pytest
import safetensors.numpy

from tests.convert.pickles import TWELVE, assert_same
from vidjax.convert.checkpoint_reader import CheckpointError, read_tensors


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
