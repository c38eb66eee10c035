"""Names of classes out of a text file."""

import pytest

from vidjax.data.class_list import read_class_list


@pytest.mark.parametrize(
    "text", ["one\ntwo words\nthree", "\ufeffone \r\n two words\r\nthree\r\n\n"]
)
def test_names_stand_one_a_line(tmp_path, text):
    (tmp_path / "names.txt").write_text(text, encoding="utf-8", newline="")
    assert read_class_list(tmp_path / "names.txt", 3) == ("one", "two words", "three")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"one\ntwo\n", "has 2 names, one a line; the network has 3"),
        (b"", "has 0 names"),
        (b"one\n\nthree\n", "line 2: the name is empty"),
        (b"one\ntwo\none\n", "has the name 'one' 2 times"),
        (b"one\nt\x1bwo\nthree\n", "line 2: the name holds a line break or another control"),
        (b"one\ntw\xff\nthree\n", "not UTF-8 text: line 2"),
    ],
)
def test_lists_that_do_not_fit_are_refused(tmp_path, data, message):
    (tmp_path / "names.txt").write_bytes(data)
    with pytest.raises(ValueError, match=message) as told:
        read_class_list(tmp_path / "names.txt", 3)
    assert "names.txt" in str(told.value)
    assert "\n" not in str(told.value)
