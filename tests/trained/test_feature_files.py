"""Tests that feature files are read by NumPy and h5py, and read back or refused by vidjax."""

import dataclasses
import json
import pickle
import re
import zipfile

import h5py
import numpy as np
import pytest

import vidjax
from tests.trained.tables import ABOUT, table
from vidjax.storage.writing import LinkError
from vidjax.trained.feature_files.files import read_features, write_features
from vidjax.trained.feature_files.table import COLUMNS, Features, FeaturesError, joined

NAMES = ("features", *COLUMNS)
every_kind = pytest.mark.parametrize("suffix", [".npz", ".h5"])


def refused(file, words):
    """Returns the error line that refuses a file and names it."""
    with pytest.raises(FeaturesError, match=words) as error:
        read_features(file)
    line = str(error.value)
    assert file.name in line
    assert "\n" not in line
    assert len(line) < 1000


def arrays(**changes):
    """Returns a file's arrays by name."""
    found = {name: getattr(table(), name) for name in NAMES}
    return {**found, "about": np.array(json.dumps(ABOUT)), **changes}


@every_kind
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_feature_files_round_trip(tmp_path, suffix, dtype):
    written, file = table(dtype=dtype), tmp_path / f"features{suffix}"
    write_features(file, written)
    found = vidjax.read_features(file)
    assert found.about == ABOUT
    for name in NAMES:
        value, expected = getattr(found, name), getattr(written, name)
        np.testing.assert_array_equal(value, expected)
        assert value.dtype.kind == expected.dtype.kind
    assert found.features.dtype == dtype
    assert [each.name for each in tmp_path.iterdir()] == [file.name]


@every_kind
def test_equal_features_give_equal_files(tmp_path, suffix):
    files = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for file in files:
        write_features(file, table())
    assert files[0].read_bytes() == files[1].read_bytes()


def test_numpy_and_h5py_read_the_files(tmp_path):
    for suffix in (".npz", ".h5"):
        write_features(tmp_path / f"f{suffix}", table())
    with np.load(tmp_path / "f.npz", allow_pickle=False) as found:
        assert set(found.files) == {*NAMES, "about"}
        np.testing.assert_array_equal(found["features"], table().features)
        assert found["video"].tolist() == table().video.tolist()
        assert json.loads(str(found["about"])) == ABOUT
    with h5py.File(tmp_path / "f.h5") as found:
        assert set(found) == {*NAMES, "about"}
        np.testing.assert_array_equal(found["features"], table().features)
        assert found["video"].asstr()[:].tolist() == table().video.tolist()
        assert json.loads(found["about"].asstr()[0]) == ABOUT
        assert found["features"].chunks


def test_files_saved_by_numpy_are_read(tmp_path):
    np.savez(tmp_path / "f.npz", **arrays())
    np.testing.assert_array_equal(read_features(tmp_path / "f.npz").features, table().features)


@every_kind
def test_a_table_may_have_no_rows(tmp_path, suffix):
    write_features(tmp_path / f"f{suffix}", table(rows=0))
    assert read_features(tmp_path / f"f{suffix}").features.shape == (0, 4)


def test_rows_are_selected_by_split_and_joined_again():
    whole = table()
    train = whole.of_split("train")
    assert len(train) == 3
    again = joined([train, whole.of_split("test")])
    np.testing.assert_array_equal(again.features, whole.features)
    with pytest.raises(FeaturesError, match="'val' has no features; the splits are: test, train"):
        whole.of_split("val")


def test_the_suffix_and_content_decide_the_format(tmp_path):
    with pytest.raises(FeaturesError, match=r"f\.csv: feature files end in \.npz or \.h5"):
        write_features(tmp_path / "f.csv", table())
    (tmp_path / "f.npz").write_text("path,label")
    refused(tmp_path / "f.npz", "is neither .npz nor .h5")
    refused(tmp_path / "none.npz", "this feature file does not exist")


@every_kind
def test_symlinks_are_not_written_through(tmp_path, suffix):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / f"f{suffix}").symlink_to(tmp_path / "mine")
    with pytest.raises(LinkError):
        write_features(tmp_path / f"f{suffix}", table())
    assert (tmp_path / "mine").read_text() == "mine"


class _Planted:
    def __reduce__(self):
        return (open, ("planted", "w"))


def test_objects_are_never_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    planted = np.array([_Planted()] * 6, dtype=object)
    np.savez(tmp_path / "f.npz", **arrays(label=planted), allow_pickle=True)
    refused(tmp_path / "f.npz", "label.npy claims object")
    np.savez(tmp_path / "g.npz", **arrays(about=planted[0]), allow_pickle=True)
    refused(tmp_path / "g.npz", "about.npy claims object")
    (tmp_path / "h.npz").write_bytes(pickle.dumps(_Planted()))
    refused(tmp_path / "h.npz", "is neither")
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"features": np.zeros((6, 4), np.int32)}, "its features are int32"),
        ({"features": np.zeros((6, 2, 2), np.float32)}, r"float32 \[6, 2, 2\], not float16"),
        ({"label": np.zeros(6)}, "its label is float64"),
        ({"start": np.zeros(5)}, r"its start is float64 \[5\] beside 6 features"),
        ({"start": np.full(6, np.nan)}, "its start holds numbers that are not finite"),
        ({"clip": np.zeros(6)}, "its clip is float64"),
        ({"about": np.array("{")}, "its about is damaged"),
        ({"about": np.array("[]")}, "its about is damaged"),
        ({"about": np.zeros(3)}, "it has no text about"),
    ],
)
def test_unknown_columns_are_refused_by_name(tmp_path, changes, words):
    np.savez(tmp_path / "f.npz", **arrays(**changes))
    refused(tmp_path / "f.npz", words)


def test_a_missing_column_is_named(tmp_path):
    found = arrays()
    del found["end"]
    np.savez(tmp_path / "f.npz", **found)
    refused(tmp_path / "f.npz", "it has no end")


@every_kind
def test_damage_anywhere_is_refused_in_one_line(tmp_path, suffix):
    file = tmp_path / f"f{suffix}"
    write_features(file, table(rows=40, width=16))
    data = file.read_bytes()
    for length in range(0, len(data), len(data) // 37):
        file.write_bytes(data[:length])
        refused(file, ".")
    # A value of the features, which a checksum protects.
    place = data.index(table(rows=40, width=16).features.tobytes()[:32])
    file.write_bytes(data[:place] + b"\xff" + data[place + 1 :])
    refused(file, "damaged")


def test_oversized_claims_are_refused_before_memory_is_allocated(tmp_path):
    np.savez_compressed(tmp_path / "bomb.npz", **arrays(features=np.zeros((10**6, 64), np.float32)))
    refused(tmp_path / "bomb.npz", "is compressed")
    np.savez_compressed(tmp_path / "small.npz", **arrays())
    refused(tmp_path / "small.npz", "is compressed")
    with zipfile.ZipFile(tmp_path / "lie.npz", "w") as archive, archive.open("features.npy", "w") as entry:  # fmt: skip  # noqa: E501
        facts = {"descr": "<f4", "fortran_order": False, "shape": (2**40, 2**20)}
        np.lib.format.write_array_header_1_0(entry, facts)
    refused(tmp_path / "lie.npz", "features.npy claims float32")
    # The ZIP directory states sizes, too.
    np.savez(tmp_path / "sizes.npz", **arrays())
    data = (tmp_path / "sizes.npz").read_bytes()
    place = data.index(b"PK\x01\x02") + 20
    (tmp_path / "sizes.npz").write_bytes(data[:place] + b"\xfe\xff\xff\x7f" * 2 + data[place + 8 :])
    refused(tmp_path / "sizes.npz", "claims more bytes than it holds")


def _h5(file, **changes):
    with h5py.File(file, "w") as group:
        for name, value in arrays(**changes).items():
            if callable(value):
                value(group, name)
            else:
                values = np.atleast_1d(value)
                texts = values.dtype.kind == "U"
                group[name] = np.char.encode(values, "utf-8") if texts else values


def test_plain_hdf5_datasets_of_others_are_read(tmp_path):
    _h5(tmp_path / "f.h5")
    np.testing.assert_array_equal(read_features(tmp_path / "f.h5").features, table().features)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda g, n: g.create_dataset(n, (10**9, 512), "f4", chunks=(64, 512)), "claims more"),
        (lambda g, n: g.create_dataset(n, (6, 4), "f4", compression="gzip"), "is compressed"),
        (lambda g, n: g.create_dataset(n, (6, 4), "f4", external=[("secret", 0, 96)]), "another f"),
        (lambda g, n: g.__setitem__(n, h5py.ExternalLink("other.h5", "/x")), "is a link"),
        (lambda g, n: g.__setitem__(n, h5py.SoftLink("/label")), "is a link"),
        (lambda g, n: g.create_group(n), "is not an array"),
        (lambda g, n: g.create_dataset(n, (6,), h5py.string_dtype()), "its features is object"),
        (lambda g, n: g.create_dataset(n, (6,), h5py.ref_dtype), "its features is object"),
    ],
)
def test_unsafe_hdf5_datasets_are_refused(tmp_path, make, words):
    (tmp_path / "secret").write_bytes(b"s" * 96)
    _h5(tmp_path / "f.h5", features=make)
    refused(tmp_path / "f.h5", words)


def test_a_virtual_hdf5_dataset_is_refused(tmp_path):
    _h5(tmp_path / "other.h5")

    def virtual(group, name):
        layout = h5py.VirtualLayout((6, 4), "f4")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "features", (6, 4))
        group.create_virtual_dataset(name, layout)

    _h5(tmp_path / "f.h5", features=virtual)
    refused(tmp_path / "f.h5", "in another file")


def test_the_error_names_the_file_in_one_line(tmp_path):
    """Control characters in a path are escaped."""
    file = tmp_path / "a\nb.npz"
    file.write_bytes(b"PK\x03\x04")
    with pytest.raises(FeaturesError, match=re.escape("a\\nb.npz")):
        read_features(file)


def test_the_columns_equal_the_fields_of_the_table():
    assert {field.name for field in dataclasses.fields(Features)} == {*NAMES, "about"}
