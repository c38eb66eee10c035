"""Tests storages, tensors and archives that claim more than the file holds."""

import json
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.convert.pickles import (
    FORMS,
    TWELVE,
    literal,
    mapping,
    pickled,
    read_one,
    tensor,
    write,
    write_legacy,
    write_zip,
)
from tests.convert.test_loading import CLASSES, WIDTH, small_state
from tests.faults.budgets import CONSTANT, MIB, at_most, refused
from vidjax.convert import torch_archive
from vidjax.convert.checkpoint_reader import read_tensors
from vidjax.convert.loading import load_torch
from vidjax.convert.torch_pickles import CheckpointError


@pytest.fixture(params=FORMS)
def form(request):
    return request.param


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.pth"


def counted(monkeypatch):
    """Records the names of what is read from files, in order."""
    seen, numbers = [], torch_archive._numbers

    def noted(stream, count, name):
        seen.append(name)
        return numbers(stream, count, name)

    monkeypatch.setattr(torch_archive, "_numbers", noted)
    return seen


@pytest.mark.parametrize("kind", ["Half", "Double"])
def test_two_hundred_views_read_and_convert_their_storage_once(form, path, monkeypatch, kind):
    seen = counted(monkeypatch)
    block = np.zeros(MIB, {"Half": "<f2", "Double": "<f8"}[kind])
    one = {"kind": kind, "numel": len(block)}
    views = {f"w{k}": tensor(form, (2**10, 2**9), (2**10, 1), k, **one) for k in range(200)}
    write(form, path, mapping(**views), {"0": block})
    with at_most(CONSTANT + 3 * path.stat().st_size):
        got = read_tensors(path)
    assert len(got) == 200
    assert len([name for name in seen if name.endswith("0")]) == 1


def test_storages_with_different_claimed_lengths_are_read_once(form, path, monkeypatch):
    """Each reference to the storage claims another length."""
    seen = counted(monkeypatch)
    views = {f"w{k}": tensor(form, (1,), (1,), numel=MIB - k) for k in range(200)}
    write(form, path, mapping(**views), {"0": np.zeros(MIB, "<f4")})
    with at_most(CONSTANT + 3 * path.stat().st_size):
        assert len(read_tensors(path)) == 200
    assert len([name for name in seen if name.endswith("0")]) == 1


def test_a_storage_with_two_dtypes_is_refused(form, path):
    tree = mapping(a=tensor(form, (1,), (1,)), b=tensor(form, (1,), (1,), kind="Half"))
    write(form, path, tree, {"0": TWELVE})
    refused(path, "storage '0' is of Float and Half numbers at once")


def test_unused_storages_are_not_read(form, path, monkeypatch):
    seen = counted(monkeypatch)
    moments = mapping(m=tensor(form, (1,), (1,), key="1", numel=MIB))
    tree = mapping(optimizer=moments, state_dict=mapping(w=tensor(form, (12,), (1,))))
    write(form, path, tree, {"1": np.zeros(MIB, "<f4"), "0": TWELVE})
    with at_most(CONSTANT // 2):
        assert list(read_tensors(path)) == ["w"]
    assert not [name for name in seen if name.endswith("1")]


@pytest.mark.parametrize(
    ("size", "stride"),
    [
        ((10**9, 512), (0, 0)),
        ((10**9, 512), (0, 1)),
        ((600, 2**20), (1, 0)),
        ((10, 2**20), (0, 0)),
        ((2**40,), (0,)),
    ],
)
def test_tensors_that_repeat_their_numbers_beyond_their_storage_are_refused(
    form, path, size, stride
):
    write(form, path, mapping(w=tensor(form, size, stride, numel=600)), {"0": np.zeros(600, "<f4")})
    refused(path, "'w', which cannot be read: its size .* has .* numbers, but its storage only 600")


def test_a_classifier_that_claims_a_billion_classes_is_refused(tmp_path):
    """Also while loading it into a network."""
    state = {"conv1.weight": (64, 3, 7, 7, 7), "fc.weight": (10**9, 512)}
    tree = mapping(**{name: tensor("zip", size, (0,) * len(size)) for name, size in state.items()})
    write_zip(tmp_path / "w.pth", tree, {"0": TWELVE})
    with at_most(CONSTANT), pytest.raises(CheckpointError, match="'fc.weight', which cannot be"):
        load_torch("r3d_18", tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [
        ((True,), (1,), 0),
        ((2,), (True,), 0),
        ((2,), (1,), False),
        ((2.0,), (1,), 0),
        ((2**70,), (0,), 0),
        ((2**62, 4), (0, 0), 0),
        ((-1,), (1,), 0),
        ((2,), (-1,), 5),
        (((2,),), (1,), 0),
        ("2", "1", 0),
        ([2], [1], 0),
        ((1,) * 10**5, (1,) * 10**5, 0),
        ((2, None), (1, 1), 0),
    ],
)
def test_fractional_sizes_are_refused(form, path, size, stride, offset):
    with pytest.raises(CheckpointError, match="'w', which cannot be read") as error:
        read_one(form, path, tensor(form, size, stride, offset))
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize("numel", [True, 2.0, "12", -1, 2**62])
def test_fractional_storage_lengths_are_refused(form, path, numel):
    with pytest.raises(CheckpointError, match="'w', which cannot be read"):
        read_one(form, path, tensor(form, (2,), (1,), numel=numel))


# Archives.


def test_overlapping_entries_of_a_zip_file_are_refused(path):
    """200 entries that share one part of the file."""
    tree = mapping(
        **{f"w{k}": tensor("zip", (1,), (1,), key=str(k), numel=MIB) for k in range(200)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(tree))
        archive.writestr("archive/data/0", bytes(4 * MIB))
        first = archive.getinfo("archive/data/0")
        for k in range(1, 200):
            entry = zipfile.ZipInfo(f"archive/data/{k}")
            entry.header_offset, entry.CRC = first.header_offset, first.CRC
            entry.file_size = entry.compress_size = first.file_size
            archive.filelist.append(entry)
    assert path.stat().st_size < 5 * MIB
    refused(path, "the entries of this zip file overlap")


@pytest.mark.parametrize("claim", [2**31, 100])
def test_claimed_sizes_in_a_zip_file_are_checked(path, claim):
    write_zip(path, mapping(w=tensor("zip", (12,), (1,))), {"0": TWELVE})
    whole = bytearray(path.read_bytes())
    place = whole.rindex(b"PK\1\2", 0, whole.rindex(b"archive/data/0"))
    whole[place + 20 : place + 28] = struct.pack("<2I", claim, claim)
    path.write_bytes(whole)
    refused(path, "overlap|Bad CRC|truncated")


def test_a_zip_file_of_many_entries_is_refused_before_they_are_listed(path):
    name = b"x" * 30_000
    head = struct.pack("<4s5H3L2H", b"PK\3\4", *[0] * 8, len(name), 0) + name
    one = struct.pack("<4s6H3L5H2L", b"PK\1\2", *[0] * 9, len(name), *[0] * 6) + name
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 600, 600, 600 * len(one), len(head), 0)
    path.write_bytes(head + one * 600 + end)
    refused(path, "is a zip file with a directory of 18")


def test_thousands_of_tiny_storages_are_read(form, path):
    views = {f"w{k}": tensor(form, (1,), (1,), key=str(k), numel=1) for k in range(5000)}
    blocks = {str(k): TWELVE[:1] for k in range(5000)}
    write(form, path, mapping(**views), blocks)
    with at_most(CONSTANT + 30 * path.stat().st_size, seconds=30):
        assert len(read_tensors(path)) == 5000


def test_entry_names_are_never_used_as_paths(path, tmp_path):
    (tmp_path / "secret").write_bytes(TWELVE.tobytes())
    tree = mapping(w=tensor("zip", (12,), (1,), key="../../secret"))
    refused(
        write_zip(path, tree, {"0": TWELVE}), "'w', which cannot be read: .* no 'data/../../sec"
    )


def test_a_repeated_legacy_storage_is_refused(path):
    tree = mapping(w=tensor("legacy", (12,), (1,)))
    whole = write_legacy(path, tree, {"0": TWELVE}).read_bytes()
    keys, twice = pickled(literal(["0"])), pickled(literal(["0", "0"]))
    block = struct.pack("<q", 12) + TWELVE.tobytes()
    path.write_bytes(whole.replace(keys, twice) + block)
    refused(path, "storage '0' is there twice")


def test_claimed_lengths_in_a_legacy_file_are_checked(path):
    tree = mapping(w=tensor("legacy", (12,), (1,)))
    whole = write_legacy(path, tree, {"0": TWELVE}).read_bytes()
    for claim in (2**60, 2**31, 13, -1):
        path.write_bytes(whole[:-56] + struct.pack("<q", claim) + TWELVE.tobytes())
        refused(path, "is truncated: 48 of")


# safetensors.


@pytest.mark.parametrize("length", [10**8, 2**62, 2**64 - 1])
def test_a_header_that_claims_to_be_longer_than_the_file_is_refused(path, length):
    path.write_bytes(struct.pack("<Q", length) + b'{"w": 1}')
    refused(path, "its header claims")


def test_a_header_of_a_hundred_megabytes_is_refused(path):
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", 10**8) + b'{"w":')
        stream.truncate(10**8 + 8)
    refused(path, "its header claims 100000000 bytes")


@pytest.mark.parametrize(
    ("shape", "offsets"),
    [
        ([10**9, 512], [0, 48]),
        ([2**62, 4], [0, 48]),
        ([12], [0, 2**62]),
        ([12], [48, 0]),
        ([12], [-48, 0]),
        ([12.0], [0, 48]),
        ([True], [0, 4]),
        ([], [0, 48]),
    ],
)
def test_shapes_and_offsets_of_safetensors_are_checked(path, shape, offsets):
    facts = {"w": {"dtype": "F32", "shape": shape, "data_offsets": offsets}}
    text = json.dumps(facts).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + TWELVE.tobytes())
    refused(path, "seems to be damaged")


def test_a_header_that_is_nested_deeply_is_refused(path):
    text = b'{"w":' + b"[" * 10**5 + b"]" * 10**5 + b"}"
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    refused(path, "seems to be damaged")


# Loading into a network.


@pytest.mark.parametrize(
    "shape", [(), (0, 32), (6,), (10**6, 0)], ids=["no axes", "no classes", "one axis", "no inputs"]
)
def test_a_classifier_of_another_rank_is_refused(shape):
    state = small_state() | {"fc.weight": np.zeros(shape, np.float32)}
    with pytest.raises(CheckpointError, match="this file has no classifier"):
        load_torch("r3d_18", state, **WIDTH)


def test_misfits_are_reported_in_one_line_of_bounded_length():
    state = {f"layer1.{'9' * 900}{k}.conv1.weight": TWELVE for k in range(100)}
    for given in (state, small_state() | dict(list(state.items())[:20])):
        with pytest.raises(CheckpointError) as error:
            load_torch("r3d_18", given, num_classes=CLASSES, **WIDTH)
        assert len(str(error.value).splitlines()) == 1
        assert len(str(error.value)) < 5000


# Paths that are not files.


def test_paths_that_are_not_files_are_refused_in_one_line(path, tmp_path):
    path.touch()
    refused(path, "is neither a PyTorch")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "is not a regular file")
    refused(Path("/dev/zero"), "is not a regular file")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises((OSError, CheckpointError), match="loop"):
        read_tensors(tmp_path / "loop")
