"""Tests the names of an explanation's files, which contain names of classes."""

from types import SimpleNamespace

import pytest

from experiments.explain.explanation_files import Part, _places


@pytest.mark.parametrize("label", ["a/b", "../../elsewhere", "..", "x" * 400, "a\0b", "con"])
def test_a_class_of_any_name_gets_a_file_beside_the_others(tmp_path, label):
    parts = [Part(SimpleNamespace(label=own)) for own in (label, "walk")]
    first, second = _places(parts)
    assert second == "-2-walk"
    for place in (first, second):
        (tmp_path / f"pyramid{place}.json").write_text("{}")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_single_explanation_has_no_class_in_its_file_names():
    assert _places([Part(SimpleNamespace(label="a/b"))]) == [""]
