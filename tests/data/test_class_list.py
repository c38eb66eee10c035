"""Tests files that list the classes of a network's logits, in order."""

import pytest

from vidjax.data.class_list import read_class_list


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.txt", b"walk\nrun, fast\nsit\n", ("walk", "run, fast", "sit")),
        ("a.txt", b"\xef\xbb\xbfwalk\r\n'run'\r\n\r\n", ("walk", "'run'")),
        ("a.txt", "cafe\u0301\n".encode(), ("caf\u00e9",)),
        ("a.csv", b'index,class\n0,walk\n1,"run, fast"\n', ("walk", "run, fast")),
        ("a.CSV", b"class\nwalk\nrun\n", ("walk", "run")),
    ],
)
def test_names_are_read_in_order(tmp_path, name, data, expected):
    file = tmp_path / name
    file.write_bytes(data)
    assert read_class_list(file) == expected


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b"", "a.txt contains no class"),
        ("a.txt", b"\n\n", "a.txt contains no class"),
        ("a.txt", b"walk\n\nrun\n", "line 2 is empty"),
        ("a.txt", b"walk\nrun\nwalk\n", "line 3: class 'walk' is in line 1 already"),
        ("a.txt", b"walk\nr\x07un\n", "line 2: the name holds a line break or another control"),
        ("a.txt", b"walk\n" + b"a" * 1001, "line 2: the name is longer than 1000 characters"),
        ("a.txt", b"walk\n\xff\n", "is not UTF-8 text: line 2"),
        ("a.csv", b"name\nwalk\n", "lacks the column 'class'"),
        ("a.csv", b"class,index\nwalk,0\n,1\n", "line 3: 'class' is empty"),
    ],
)
def test_invalid_class_lists_are_refused_in_one_line(tmp_path, name, data, message):
    file = tmp_path / name
    file.write_bytes(data)
    with pytest.raises(ValueError, match=message) as error:
        read_class_list(file)
    assert "\n" not in str(error.value)


def test_a_missing_class_list_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="classes.txt"):
        read_class_list(tmp_path / "classes.txt")
