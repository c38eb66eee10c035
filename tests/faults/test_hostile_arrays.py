"""Tests malicious folders of arrays: a run's checkpoint, and converted weights.

The checksums of a checkpoint are corrected after each change.
"""

import json
import os
import re
import shutil
import struct
from pathlib import Path

import pytest
import tensorstore

from tests.convert.test_loading import small_state
from tests.faults.budgets import MIB, at_most
from tests.faults.test_checkpoints import restored, write
from vidjax.array_validation import ArrayFilesError, check_arrays
from vidjax.convert import converted_folder
from vidjax.convert.loading import convert
from vidjax.run import checksums
from vidjax.run.checkpoint import CheckpointError
from vidjax.trained.open_weights import open_weights
from vidjax.zstd_frames import decompressed_bound

OPTIONS = {"width": 4, "depths": (1, 1, 1, 1)}
BUDGET = 64 * MIB


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("made")
    write(place / "checkpoints", steps=(10,))
    converted = convert("r3d_18", small_state(), **OPTIONS)
    converted_folder.write(converted, "r3d_18", place / "weights", "made up")
    return place


@pytest.fixture
def place(made, tmp_path):
    shutil.copytree(made, tmp_path / "made")
    return tmp_path / "made"


def of_run(place):
    """Reads the run's checkpoint after correcting its checksums."""
    checksums.seal(place / "checkpoints" / "10")
    return restored(place / "checkpoints", 10)


def of_folder(place):
    return converted_folder.read(place / "weights").variables()


# A function that reads a folder, the folder of its arrays, and the name of one.
READERS = {
    "run": (of_run, "checkpoints/10/state", "x"),
    "folder": (of_folder, "weights/variables", "params.head.kernel"),
}


@pytest.fixture(params=READERS)
def case(request):
    return READERS[request.param]


def refused(read, place, match, memory=BUDGET):
    with at_most(memory), pytest.raises(ValueError, match=match) as error:
        read(place)
    line = str(error.value)
    assert len(line.splitlines()) == 1
    assert len(line) < 3000
    return line


def store(arrays, **config):
    base = {"driver": "file", "path": f"{arrays}/"}
    return tensorstore.KvStore.open({"driver": "ocdbt", "base": base, **config}).result()


def change(arrays, name, **changes):
    """Changes the metadata of an array, in an index with correct checksums."""
    opened = store(arrays)
    facts = json.loads(opened.read(f"{name}/.zarray").result().value) | changes
    opened.write(f"{name}/.zarray", json.dumps(facts).encode()).result()


def test_unchanged_folders_are_read(place, case):
    case[0](place)


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": [10**9, 512]},
        {"shape": [10**9, 512], "chunks": [10**9, 512]},
        {"shape": [40, 51]},
        {"shape": []},
        {"shape": [True, 50]},
        {"shape": "40"},
        {"shape": None},
        {"chunks": [10**12, 1]},
        {"chunks": [10**15, 10**15]},
        {"chunks": [0, 1]},
        {"chunks": [-1, 1]},
        {"chunks": [1]},
        {"chunks": [2**70, 1]},
        {"dtype": "|S1000000000"},
        {"dtype": "<U4000000"},
        {"dtype": "O"},
        {"dtype": [["a", "<f4", [10**9]]]},
        {"compressor": {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1}},
        {"compressor": {"id": "zlib", "level": 1}},
        {"compressor": {"id": "planted"}},
        {"compressor": 5},
        {"filters": [{"id": "planted"}]},
        {"zarr_format": 3},
        {"order": "F"},
        {"dimension_separator": "/"},
        {"fill_value": "x" * 10**5},
    ],
    ids=lambda changes: json.dumps(changes)[:40],
)
def test_claims_of_an_array_are_checked_before_it_is_read(place, case, changes):
    read, arrays, name = case
    change(place / arrays, name, **changes)
    refused(read, place, f"array '{name}' (claims|has damaged)")


@pytest.mark.parametrize("text", [b"", b"[" * 10**5, b"\xff", b"5", b"{}", b'{"shape": NaN}'])
def test_damaged_metadata_of_an_array_is_named(place, case, text):
    read, arrays, name = case
    store(place / arrays).write(f"{name}/.zarray", text).result()
    refused(read, place, f"array '{name}' (has damaged metadata|claims)")


def test_a_chunk_that_decompresses_to_too_much_is_refused(place, case):
    """A GiB of zeros in 33 kB: TensorStore stops at the end of the array."""
    read, arrays, name = case
    ones = b"\x28\xb5\x2f\xfd\0\x88" + (b"\x02\0\x10\0" * 8191) + b"\x03\0\x10\0"
    store(place / arrays).write(f"{name}/0.0", ones).result()
    refused(read, place, "cannot be read")


# The index.


def crc32c(data):
    """Computes CRC-32C, with which the nodes of an index end."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return struct.pack("<I", crc ^ 0xFFFFFFFF)


@pytest.fixture
def plain(tmp_path):
    """Makes an uncompressed index of one array, and a file beside it that must not be reached."""
    arrays = tmp_path / "plain"
    arrays.mkdir()
    (tmp_path / "outside").mkdir()
    opened = store(arrays, config={"compression": None, "max_inline_value_bytes": 4})
    facts = {"shape": [3], "chunks": [3], "dtype": "<f4", "compressor": None, "filters": None}
    facts |= {"zarr_format": 2, "order": "C", "fill_value": None, "dimension_separator": "."}
    opened.write("x/.zarray", json.dumps(facts).encode()).result()
    leaf = {"key_metadata": [{"key": "x"}], "value_metadata": {"value_type": "jax.Array"}}
    tree = {"tree_metadata": {"x": leaf}, "use_ocdbt": True, "use_zarr3": False}
    (arrays / "_METADATA").write_text(json.dumps(tree))
    check_arrays(arrays, {"x": (3,)})
    return arrays


@pytest.mark.parametrize(
    "elsewhere", ["../outside/node", "{}/outside/node", "file://{}", "gs://bucket/x", "http://a/b"]
)
def test_an_index_cannot_point_outside_of_its_folder(plain, tmp_path, elsewhere):
    manifest = plain / "manifest.ocdbt"
    (own,) = re.findall(rb"d/[0-9a-f]{32}", manifest.read_bytes())
    name = elsewhere.format(tmp_path).encode()[-34:].ljust(34, b"x")
    # The target exists, if that is possible.
    if elsewhere.startswith(".."):
        shutil.copy(plain / own.decode(), plain / name.decode())
    changed = manifest.read_bytes().replace(own, name)[:-4]
    manifest.write_bytes(changed + crc32c(changed))
    with pytest.raises(ArrayFilesError, match="Invalid key|NOT_FOUND|not there|Error"):
        check_arrays(plain, {"x": (3,)})


def test_links_are_not_followed(plain, tmp_path):
    (node,) = (plain / "d").iterdir()
    shutil.move(node, tmp_path / "outside" / node.name)
    node.symlink_to(tmp_path / "outside" / node.name)
    with pytest.raises(ArrayFilesError, match="is a link: copy the folder with cp -rL"):
        check_arrays(plain, {"x": (3,)})
    node.unlink()
    (plain / "d").rmdir()
    (plain / "d").symlink_to(tmp_path / "outside")
    with pytest.raises(ArrayFilesError, match="is a link"):
        check_arrays(plain, {"x": (3,)})


@pytest.mark.parametrize("name", ["manifest.ocdbt", "_METADATA", "_sharding", "d/other"])
def test_pipes_in_a_folder_do_not_hang(place, case, name):
    read, arrays, _ = case
    (place / arrays / name).unlink(missing_ok=True)
    os.mkfifo(place / arrays / name)
    with pytest.raises(ValueError, match="is not a regular file"):
        read(place)


def test_records_of_implausible_size_are_refused(place, case):
    read, arrays, _ = case
    with (place / arrays / "_METADATA").open("r+b") as stream:
        stream.truncate(2**40)
    # Computing its checksum would read it.
    read = of_folder if read is of_folder else lambda place: restored(place / "checkpoints", 10)
    refused(read, place, "_METADATA has 1099511627776 bytes")


def bomb(blocks, last=b"\x03\0\x10\0"):
    """Makes a compressed frame of four-byte blocks that each decompress to 128 KiB of zeros."""
    return b"\x28\xb5\x2f\xfd\0\x88" + b"\x02\0\x10\0" * (blocks - 1) + last


@pytest.mark.parametrize("magic", [b"\x0c\xdb\x3a\x2a", b"\x0c\xdb\x20\xde", b"\x0c\xdb\x12\x34"])
def test_an_index_that_decompresses_to_gigabytes_is_refused(place, case, magic):
    read, arrays, _ = case
    frame = bomb(10_000)
    node = magic + struct.pack("<Q", len(frame) + 18) + b"\0\1" + frame
    (place / arrays / "d" / "node").write_bytes(b"before" + node + crc32c(node) + b"after")
    refused(read, place, "the index of its arrays decompresses to 131[0-9]{7} bytes")


def test_the_bound_of_a_frame_is_its_decompressed_size():
    assert decompressed_bound(bomb(1), 0, 10) == 2**17
    assert decompressed_bound(bomb(1000), 0, 4006) == 1000 * 2**17
    # Raw blocks have their own length; a total size of 5 bytes is the window.
    raw = b"\x28\xb5\x2f\xfd\x20\x05\x29\0\0hello"
    assert decompressed_bound(b"xx" + raw, 2, 2 + len(raw)) == 5
    assert decompressed_bound(b"no frame at all", 0, 15) == 0
    assert decompressed_bound(raw[:5], 0, 5) == 0


# Orbax's metadata of the tree.


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"use_zarr3": True}, "not the array format of vidjax"),
        ({"use_ocdbt": False}, "not the array format of vidjax"),
        ({"use_ocdbt": 1}, "not the array format"),
        ({"tree_metadata": {}}, "lacks the array"),
        ({"tree_metadata": None}, "is damaged"),
        ({"tree_metadata": {"x": 5}}, "is damaged"),
        ({"tree_metadata": {"x": {"key_metadata": [5]}}}, "is damaged"),
    ],
)
def test_a_tree_in_another_format_is_refused(place, case, changes, told):
    read, arrays, _ = case
    file = place / arrays / "_METADATA"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    refused(read, place, told)


@pytest.mark.parametrize("text", ["", "null", "[" * 10**5, '{"a":' * 10**5, "\ud800"])
def test_a_damaged_tree_is_refused(place, case, text):
    read, arrays, _ = case
    (place / arrays / "_METADATA").write_bytes(text.encode("utf-8", "surrogatepass"))
    refused(read, place, "_METADATA is damaged")


@pytest.mark.parametrize("name", ["/dev/zero", "../../../best.json", "/etc/passwd"])
def test_checksums_of_files_elsewhere_are_refused(place, name):
    file = place / "checkpoints" / "10" / checksums.FILE
    files = {name: {"bytes": 1, "crc32": "0"}}
    file.write_text(json.dumps({"files": files, "own": checksums._own(files)}))
    with pytest.raises(CheckpointError, match="is absent"):
        restored(place / "checkpoints", 10)


# Converted weights.


@pytest.mark.parametrize("text", ["", "{}", "null", "[]", "[" * 10**5, '{"a":' * 10**5])
def test_a_damaged_model_file_is_one_line(place, text):
    (place / "weights" / "model.json").write_text(text)
    refused(of_folder, place, r"model\.json is damaged")


@pytest.mark.parametrize(
    "changes",
    [
        {"num_classes": 7},
        {"num_classes": 10**6},
        {"num_classes": 10**9},
        {"num_classes": True},
        {"num_classes": 6.5},
        {"name": "r3d_17"},
        {"name": "os.system"},
        {"name": "r3d_50"},
        {"name": "x" * 10**6},
        {"options": {}},
        {"options": {"width": 10**9}},
        {"options": {"width": -1}},
        {"options": {"width": "8"}},
        {"options": {"a.b": 1}},
        {"options": {"__init__": 1}},
        {"options": {"x" * 10**6: 1}},
        {"classes": ["a", "b", "c", "d", "e", "f", "g"]},
        {"classes": ["a"] * 10**5},
        {"classes": [""]},
        {"classes": {"a": 0}},
        {"preprocessing": {}},
        {"preprocessing": {"mean": ["x" * 10**6]}},
    ],
    ids=lambda changes: json.dumps(changes)[:40],
)
def test_a_model_file_that_lies_is_refused_before_arrays_are_read(place, changes):
    file = place / "weights" / "model.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    refused(of_folder, place, "damaged|unlike the network|but the network's is")


def test_a_folder_with_consistent_false_claims_is_refused_by_its_size(place):
    """A million classes in the card and in the metadata, but no chunk on disk."""
    file = place / "weights" / "model.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"num_classes": 10**6}))
    arrays = place / "weights" / "variables"
    change(arrays, "params.head.kernel", shape=[32, 10**6], chunks=[32, 10**6])
    change(arrays, "params.head.bias", shape=[10**6], chunks=[10**6])
    refused(of_folder, place, "bytes of files claim arrays of")


# Paths that hold no weights.


@pytest.mark.parametrize("kind", ["empty folder", "empty file", "pipe", "loop", "device", "none"])
def test_paths_without_weights_are_refused_in_one_line(tmp_path, kind):
    place = tmp_path / "place"
    match kind:
        case "empty folder":
            place.mkdir()
        case "empty file":
            place.touch()
        case "pipe":
            os.mkfifo(place)
        case "loop":
            place.symlink_to("place")
        case "device":
            place = Path("/dev/zero")
    with pytest.raises(
        ValueError, match="is a file: name its network too|names no weights"
    ) as error:
        open_weights(str(place))
    assert len(str(error.value).splitlines()) == 1


def test_a_model_file_that_is_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "model.json")
    with pytest.raises(ValueError, match="names no weights"):
        open_weights(str(tmp_path))


def test_arrays_of_real_training_have_the_expected_names(tiny_run):
    """Compares Orbax's names for the arrays of a state, including the optimiser's."""
    weights = open_weights(str(tiny_run))
    assert weights.variables["params"]["head"]["kernel"].shape == (4, 3)
