"""Tests the fuzzer itself: whether it detects forbidden behaviour."""

import json
import os
import subprocess

import pytest

from tests.faults.fuzz import Refused, fuzz, mutated, refusing


def read_json(file):
    with refusing(ValueError, RecursionError):
        json.loads(file.read_bytes())


def read_json_wrongly(file):
    with refusing(json.JSONDecodeError):
        json.loads(file.read_bytes())


def _changed(file):
    return file.read_bytes() != b"[1, 2, 3]\n"


def crash(file):
    if _changed(file):
        os.kill(os.getpid(), 11)


def hang(file):
    while _changed(file):
        pass


def take_memory(file):
    if _changed(file):
        bytearray(b"1") * (60 * 2**20)


def start_a_program(file):
    if _changed(file):
        subprocess.run(["true"], check=True)


def write_elsewhere(file):
    if _changed(file):
        (file.parents[1] / "elsewhere").write_text("x")


def import_a_planted_module(file):
    if _changed(file):
        import planted  # noqa: F401


def refuse_at_length(file):
    if _changed(file):
        with refusing(ValueError):
            raise ValueError("two\nlines")


@pytest.fixture
def numbers(tmp_path):
    file = tmp_path / "numbers.json"
    file.write_bytes(b"[1, 2, 3]\n")
    return file


def test_read_and_refused_mutations_are_counted(numbers, tmp_path):
    outcome = fuzz("tests.faults.test_fuzz:read_json", numbers, tmp_path, count=200)
    assert outcome.read > 0
    assert outcome.refused > 0
    assert outcome.read + outcome.refused >= 200


@pytest.mark.parametrize(
    ("reader", "told"),
    [
        ("read_json_wrongly", "Error"),
        ("crash", "exit code -11"),
        ("hang", "took more than 1 s"),
        pytest.param("take_memory", "MiB", marks=pytest.mark.slow),
        ("start_a_program", "subprocess.Popen"),
        ("write_elsewhere", "open"),
        ("import_a_planted_module", "import"),
        ("refuse_at_length", "not one line"),
    ],
)
def test_forbidden_behaviour_fails_the_fuzz_test(numbers, tmp_path, reader, told):
    with pytest.raises(AssertionError, match=told):
        fuzz(
            f"tests.faults.test_fuzz:{reader}",
            numbers,
            tmp_path,
            count=200,
            memory=30 * 2**20,
            seconds=1,
        )


def test_each_edit_does_what_its_name_says():
    data = b"abcdef"
    assert mutated(data, [("flip", 1, b"\0")]) == b"accdef"
    assert mutated(data, [("overwrite", 1, b"XY")]) == b"aXYdef"
    assert mutated(data, [("insert", 1, b"XY")]) == b"aXYbcdef"
    assert mutated(data, [("cut", 2, b"X")]) == b"ab"
    assert mutated(data, [("delete", 1, b"\2")]) == b"adef"
    assert mutated(data, [("repeat", 1, b"\2")]) == b"abcbcdef"


def test_other_exceptions_are_not_refusals():
    with pytest.raises(KeyError), refusing(ValueError):
        raise KeyError("x")
    with pytest.raises(Refused), refusing(ValueError):
        raise ValueError("x")
