"""Tests pickles that claim too much, are deeply nested, or name code."""

import io
import struct

import pytest

from tests.convert.pickles import (
    FORMS,
    TWELVE,
    V2,
    call,
    literal,
    mapping,
    named,
    pickled,
    several,
    storage,
    tensor,
    write,
    write_zip,
)
from tests.faults.budgets import CONSTANT, MIB, at_most, refused
from tests.faults.tiny import ending, start
from vidjax.convert import torch_pickles
from vidjax.convert.checkpoint_reader import read_tensors
from vidjax.convert.torch_pickles import CheckpointError

NESTED = 200_000


@pytest.fixture(params=FORMS)
def form(request):
    return request.param


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.pth"


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        (b"]" * NESTED, b"a" * (NESTED - 1)),
        (b"(" * NESTED, b"t" * NESTED),
        (b")", b"\x85" * NESTED),
    ],
    ids=["lists", "tuples", "tuples of one"],
)
def test_deep_nesting_is_skipped(path, opening, closing):
    nested = opening + closing
    good = tensor("zip", (12,), (1,))
    tree = b"}(" + nested + literal(1) + literal("x") + nested + literal("w") + good + b"u"
    write_zip(path, tree, {"0": TWELVE})
    assert list(read_tensors(path)) == ["w"]


def test_a_key_with_exponential_nesting_is_skipped(form, path):
    """30 nested pairs, each with the previous one twice: 2^30 items if all were visited."""
    pairs = b")" + b"q\x01h\x01\x86" * 30
    tree = b"}(" + pairs + literal(1) + literal("w") + tensor(form, (12,), (1,)) + b"u"
    write(form, path, tree, {"0": TWELVE})
    with at_most(CONSTANT):
        assert list(read_tensors(path)) == ["w"]
    write(form, path, b"}(" + pairs + literal(1) + b"u")
    refused(path, "has no tensors")


def test_lists_that_contain_themselves_twice_are_skipped(form, path):
    tree = b"}(" + literal("x") + b"]" + b"q\x01(h\x01h\x01e" * 20
    tree += literal("w") + tensor(form, (12,), (1,)) + b"u"
    write(form, path, tree, {"0": TWELVE})
    with at_most(CONSTANT):
        assert list(read_tensors(path)) == ["w"]


def test_memo_entries_are_not_allocated_in_advance(form, path):
    tree = mapping(w=tensor(form, (12,), (1,))) + b"r" + struct.pack("<I", 10**8)
    write(form, path, tree, {"0": TWELVE})
    with at_most(CONSTANT):
        assert list(read_tensors(path)) == ["w"]


@pytest.mark.parametrize(
    "claim",
    [
        b"\x8d" + struct.pack("<Q", 2**60),
        b"\x8e" + struct.pack("<Q", 2**63),
        b"\x96" + struct.pack("<Q", 2**40),
        b"X" + struct.pack("<I", 2**32 - 1),
        b"B" + struct.pack("<I", 2**31),
        b"T" + struct.pack("<i", -1),
        b"T" + struct.pack("<i", 2**31 - 1),
        b"\x8b" + struct.pack("<i", 2**31 - 1),
        b"\x8b" + struct.pack("<i", -5),
    ],
    ids=repr,
)
def test_texts_and_numbers_that_claim_to_be_longer_than_the_file_are_refused(form, path, claim):
    write(form, path, claim + b"abc")
    refused(path, "seems to be damaged: .* bytes claimed")


def test_the_claimed_length_of_a_frame_is_ignored(form, path):
    tree = b"\x95" + struct.pack("<Q", 2**63) + mapping(w=tensor(form, (12,), (1,)))
    write(form, path, tree, {"0": TWELVE})
    with at_most(CONSTANT):
        assert list(read_tensors(path)) == ["w"]


def test_keys_with_equal_hashes_are_read_quickly(form, path):
    """Python's hash of an integer is its remainder modulo 2^61 - 1."""
    numbers = (k * (2**61 - 1) for k in range(1, 50_000))
    items = b"".join(b"\x8a\x0a" + n.to_bytes(10, "little") + b"N" for n in numbers)
    tree = b"}(" + items + literal("w") + tensor(form, (12,), (1,)) + b"u"
    write(form, path, tree, {"0": TWELVE})
    with at_most(CONSTANT + 200 * path.stat().st_size):
        assert list(read_tensors(path)) == ["w"]


def test_an_integer_of_a_million_digits_is_refused_quickly(form, path):
    long = b"\x8b" + struct.pack("<i", 2**20) + b"\x7f" * 2**20
    one = call(V2, storage("Float", "0", 12, *([None] if form == "legacy" else [])), long)
    write(form, path, mapping(w=one), {"0": TWELVE})
    refused(path, "'w', which cannot be read", CONSTANT + 5 * path.stat().st_size)


def test_endless_pickles_are_refused(form, path, monkeypatch):
    monkeypatch.setattr(torch_pickles, "MOST_INSTRUCTIONS", 1000)
    write(form, path, b"N0" * 1000 + mapping(w=tensor(form, (12,), (1,))), {"0": TWELVE})
    refused(path, "a pickle of more than 1000 instructions")


@pytest.mark.parametrize("code", [b"\x82\x01", b"\x83\x01\x00", b"\x84\x01\x00\x00\x00", b"\x97"])
def test_other_instructions_are_refused_by_name(form, path, code):
    """The extension registry, and out-of-band buffers."""
    write(form, path, code)
    refused(path, "has the pickle instruction .*, not of torch.save")


def test_long_names_of_globals_are_refused(form, path):
    write(form, path, b"cos\n" + b"x" * 10**6 + b"\n")
    refused(path, "a name in its pickle has no end", CONSTANT + 4 * path.stat().st_size)
    write(form, path, literal("os") + literal("\x1b]0;x\7" + "x" * 10**6) + b"\x93")
    assert "\x1b" not in refused(path, "asks to run 'os.", CONSTANT + 8 * path.stat().st_size)


@pytest.mark.parametrize("name", ["n" * 10**6, "\x1b[2J", "two\nlines", "\udc80"], ids=len)
def test_unprintable_tensor_names_are_refused(form, path, name):
    write(form, path, b"}" + literal(name) + tensor(form, (12,), (1,)) + b"s", {"0": TWELVE})
    assert refused(path, "a tensor whose name ", CONSTANT + 10 * path.stat().st_size).isprintable()


def test_long_entry_names_are_shortened_in_errors(form, path):
    entries = b"".join(literal("x" * 10**5 + str(k)) + b"N" for k in range(30))
    write(form, path, b"}(" + entries + b"u")
    refused(path, "has no tensors", 20 * MIB)
    with pytest.raises(CheckpointError, match="has no entry 'ema'") as error:
        read_tensors(path, "ema")
    assert len(str(error.value)) < 3000


# Code: a planted module writes one marker when it is imported, and another when it is called.


WAYS = {
    "GLOBAL": named("planted.run"),
    "STACK_GLOBAL": literal("planted") + literal("run") + b"\x93",
    "INST": b"(iplanted\nrun\n",
    "OBJ": b"(" + named("planted.run") + b"o",
    "REDUCE": named("planted.run") + b")R",
    "NEWOBJ": named("planted.Planted") + b")\x81",
    "NEWOBJ_EX": named("planted.Planted") + b")}\x92",
    "EXT1": b"\x82\x01",
    "EXT2": b"\x83\x01\x00",
    "EXT4": b"\x84\x01\x00\x00\x00",
    "BUILD": named("planted.Planted") + b")\x81}" + literal("x") + b"Nsb",
    "BINPERSID": several(literal("storage"), named("planted.FloatStorage"), literal("0")) + b"Q",
    "PERSID": b"Pplanted.run\n",
    "a dtype": call("numpy.dtype", literal("planted.run")),
    "a codec": call("_codecs.encode", literal("x"), literal("planted")),
}


def test_no_way_to_name_code_imports_or_runs_it(tmp_path):
    """Tries all of them in one process, with the planted module in its current folder."""
    marker = tmp_path / "marker"
    (tmp_path / "planted.py").write_text(
        f"open({str(marker)!r}, 'w').close()\nrun = Planted = dict\n"
    )
    for way, code in WAYS.items():
        for form in FORMS:
            tree = mapping(w=tensor(form, (12,), (1,)), x=code)
            write(form, tmp_path / f"{way} {form}.pth", tree, {"0": TWELVE})
    process = start(
        "import copyreg, os, pathlib, sys\n"
        f"os.chdir({str(tmp_path)!r})\n"
        "sys.path.insert(0, '')\n"
        "copyreg.add_extension('planted', 'run', 1)\n"
        "from vidjax.convert.checkpoint_reader import CheckpointError, read_tensors\n"
        "for file in sorted(pathlib.Path().glob('*.pth')):\n"
        "    try:\n"
        "        read_tensors(file)\n"
        "    except CheckpointError as error:\n"
        "        print(error)\n"
        "assert 'planted' not in sys.modules\n"
    )
    lines, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    assert not marker.exists()
    # A dtype and a codec are skipped, and their names are not looked up.
    assert len(lines.splitlines()) == 2 * (len(WAYS) - 2)
    assert lines.count("asks to run 'planted.") == 2 * 9


def test_the_planted_module_runs_in_pickle_load(tmp_path):
    marker = tmp_path / "marker"
    (tmp_path / "planted.py").write_text(f"open({str(marker)!r}, 'w').close()\nrun = dict\n")
    file = tmp_path / "w.pkl"
    file.write_bytes(pickled(WAYS["REDUCE"]))
    trusting = "import pathlib, pickle, sys; sys.path.insert(0, sys.argv[1])\n"
    trusting = trusting.replace("sys.argv[1]", repr(str(tmp_path)))
    process = start(f"{trusting}pickle.loads(pathlib.Path({str(file)!r}).read_bytes())")
    assert ending(process)[0] == 0
    assert marker.exists()


def test_a_truncated_stream_is_refused():
    with pytest.raises(CheckpointError, match="truncated"):
        torch_pickles.load(io.BytesIO(b"X\x05\0\0\0ab"), 100)
