"""Fuzzes folders of arrays: converted weights, and the checkpoint of a run.

Most mutations break the checksums at the end of an index. So its contents are also mutated, in an
index whose checksums are correct.
"""

import json
import shutil

import pytest
import tensorstore

from tests.convert.test_loading import small_state
from tests.faults.fuzz import BINARY, COUNT, TEXT, fuzz, refusing
from tests.faults.test_checkpoints import LIKE, write
from vidjax.convert import converted_folder
from vidjax.convert.loading import convert
from vidjax.run import checksums
from vidjax.run.checkpoint import Checkpoints

MEMORY = 256 * 2**20
TOKENS = (
    *(*TEXT, *BINARY, b"1000000000", b"[1000000000, 512]", b"jax.Array", b"string", b"use_zarr3"),
    *(b'"chunks":[0]', b'"zlib"', b'"|O"', b"file:///", b"gs://x/", b"\x0c\xdb\x20\xde", b"Dict"),
)
OPTIONS = {"width": 4, "depths": (1, 0, 0, 0)}


def read_folder(place):
    with refusing(ValueError):
        converted_folder.read(place).variables()


def read_run(place):
    """Reads the checkpoint of a run after correcting its checksums."""
    checksums.seal(place / "10")
    checkpoints = None
    with refusing(ValueError):
        checkpoints = Checkpoints(place, read_only=True, say=lambda _: None)
        checkpoints.restore(10, LIKE)
    checkpoints.close()


def read_metadata(place):
    """Reads a run whose array has the metadata of a file, in an index with correct checksums."""
    # An index keeps old versions, so without a new copy each reading would take longer.
    state, whole = place.absolute() / "10" / "state", place.absolute().with_name("whole")
    if not whole.exists():
        shutil.copytree(state, whole)
    shutil.rmtree(state)
    shutil.copytree(whole, state)
    base = {"driver": "file", "path": f"{state}/"}
    store = tensorstore.KvStore.open({"driver": "ocdbt", "base": base}).result()
    store.write("x/.zarray", (place / "zarray.json").read_bytes()).result()
    read_run(place)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    place = tmp_path_factory.mktemp("made") / "weights"
    state = {name: array for name, array in small_state().items() if "layer" not in name}
    state |= {name: array for name, array in small_state().items() if name.startswith("layer1")}
    state["fc.weight"] = state["fc.weight"][:, :4]
    converted_folder.write(convert("r3d_18", state, **OPTIONS), "r3d_18", place, "made up")
    return place


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("made") / "checkpoints"
    write(place, steps=(10,))
    return place


@pytest.fixture
def told(run, tmp_path):
    """Returns a run, with the metadata of one array in a file beside it."""
    place = tmp_path / "checkpoints"
    shutil.copytree(run, place)
    facts = {"shape": [40, 50], "chunks": [40, 50], "dtype": "<f4", "fill_value": None}
    facts |= {"compressor": {"id": "zstd", "level": 1}, "filters": None, "order": "C"}
    facts |= {"dimension_separator": ".", "zarr_format": 2}
    (place / "zarray.json").write_text(json.dumps(facts))
    return place


def fuzzed(reader, place, scratch, count, only="*"):
    (scratch / only.strip("*")).mkdir(exist_ok=True)
    return fuzz(
        f"{__name__}:{reader}", place, scratch / only.strip("*"), count=count, tokens=TOKENS,
        memory=MEMORY, only=only,
    )  # fmt: skip


@pytest.mark.slow
def test_mutations_of_converted_weights_are_read_or_refused(weights, tmp_path):
    assert fuzzed("read_folder", weights, tmp_path, 40).refused > 8
    assert fuzzed("read_folder", weights, tmp_path, 40, only="model.json").refused > 8


@pytest.mark.slow
def test_mutations_of_a_checkpoint_are_read_or_refused(run, tmp_path):
    assert fuzzed("read_run", run, tmp_path, 200).refused > 20


def test_mutations_of_array_metadata_are_read_or_refused(told, tmp_path):
    assert fuzzed("read_metadata", told, tmp_path, 100, only="zarray.json").refused > 50


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("only", ["*", "model.json", "_METADATA", "manifest.ocdbt"])
def test_ten_thousand_mutations_of_converted_weights(weights, tmp_path, only):
    outcome = fuzzed("read_folder", weights, tmp_path, COUNT // 4, only)
    assert outcome.refused > COUNT // 40


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("only", ["*", "_METADATA", "*METADATA", "manifest.ocdbt"])
def test_ten_thousand_mutations_of_a_checkpoint(run, tmp_path, only):
    outcome = fuzzed("read_run", run, tmp_path, COUNT // 4, only)
    assert outcome.refused > COUNT // 40


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_thousands_of_mutations_of_array_metadata(told, tmp_path):
    outcome = fuzzed("read_metadata", told, tmp_path, COUNT // 4, "zarray.json")
    assert outcome.refused > COUNT // 8
