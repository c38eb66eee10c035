"""Tests that published files are recognised and get their own input normalisation."""

import hashlib

import numpy as np
import pytest

from tests.commands import run_command
from tests.convert.test_loading import small_state
from tests.trained.published.rows import named
from tests.trained.published.test_pretrained import save, tiny
from vidjax.trained.open_weights import open_weights
from vidjax.trained.published.identify import row_of

UNSUMMED = {"sha256": None, "sha256_prefix": None, "bytes": None}


@pytest.fixture
def file(tmp_path):
    return save(tmp_path / "weights" / "r3d18_of_mine.pth", small_state())


def test_a_file_is_recognised_by_name_and_checksum(file, register):
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    first = tiny(**UNSUMMED | {"file": file.name, "there": None, "sha256": digest})
    second = tiny(
        **UNSUMMED | {"tag": "b", "file": "b.pth", "there": file.name, "sha256": "0" * 64}
    )
    register(first, second)
    assert row_of("r3d_18", file) == first
    assert row_of("r3d_34", file) is None
    other = file.with_name("b.pth")
    other.write_bytes(file.read_bytes()[:-1])
    assert row_of("r3d_18", other) is None


def test_an_ambiguous_name_without_checksums_is_not_recognised(file, register):
    one = tiny(file=file.name, **UNSUMMED)
    register(one)
    assert row_of("r3d_18", file) == one
    register(one, tiny(tag="b", file="b.pth", there=file.name, **UNSUMMED))
    assert row_of("r3d_18", file) is None


def test_a_published_file_keeps_its_normalization_at_any_path(file, register):
    old = named("r3d_18:kinetics400-hara2018")
    colours = {"mean": old.mean[::-1], "std": old.std, "channels": "BGR"}
    row = tiny(file=file.name, **UNSUMMED, **colours)
    kernel = small_state()["conv1.weight"]
    for rows, mean, red in (((row,), old.mean, 2), ((), (0.4345, 0.4051, 0.3775), 0)):
        register(*rows)
        found = open_weights(f"r3d_18:{file}", {"width": 4, "depths": (1, 1, 1, 1)})
        assert found.preprocessing.mean == pytest.approx(mean)
        ours = found.variables["params"]["stem_layer"]["conv"]["kernel"]
        np.testing.assert_array_equal(ours[..., 0, :], kernel[:, red].transpose(1, 2, 3, 0))


def test_convert_reports_the_recognised_file(tmp_path):
    row = named("r3d_18:kinetics700-hara")
    file = save(tmp_path / "weights" / row.file, small_state())
    arguments = ("--model=r3d_18", f"--checkpoint={file}", f"--output={tmp_path / 'out'}")
    narrow = ("--option=width=4", "--option=depths=(1,1,1,1)")
    done = run_command("experiments.convert", *arguments, *narrow)
    assert done.returncode == 0, done.stderr
    assert f"{file.name} is {row.name}" in done.stdout
    assert f"mean {row.mean}" in done.stdout
