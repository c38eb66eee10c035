"""Fuzzes feature files: mutations are read or refused."""

import pytest

from tests.faults.fuzz import BINARY, COUNT, TEXT, fuzz, refusing
from tests.trained.tables import table
from vidjax.trained.feature_files.files import read_features, write_features
from vidjax.trained.feature_files.table import FeaturesError

TOKENS = (
    *TEXT,
    *BINARY,
    b"|O",
    b"<U999999999",
    b"(1000000000, 512)",
    b"PK\x01\x02",
    b"TREE",
    b"SNOD",
)
MEMORY = 64 * 2**20


def read(file):
    with refusing(FeaturesError):
        read_features(file)


def fuzzed(suffix, scratch, count):
    file = scratch / f"features{suffix}"
    write_features(file, table())
    return fuzz(f"{__name__}:read", file, scratch, count=count, tokens=TOKENS, memory=MEMORY)


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_mutations_of_features_are_read_or_refused(tmp_path, suffix):
    assert fuzzed(suffix, tmp_path, 150).refused > 50


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_ten_thousand_mutations_of_features(tmp_path, suffix):
    assert fuzzed(suffix, tmp_path, COUNT).refused > COUNT // 4
