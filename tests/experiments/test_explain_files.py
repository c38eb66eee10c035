"""Names of an explanation's files, which are made of the classes' names."""

from types import SimpleNamespace

import pytest

from experiments.explain.pictures import _places


@pytest.mark.parametrize("label", ["a/b", "../../elsewhere", "..", "x" * 400, "a\0b", "con"])
def test_a_class_of_any_name_gets_a_file_beside_the_others(tmp_path, label):
    seen = {"1": SimpleNamespace(label=label), "2": SimpleNamespace(label="walk")}
    first, second = _places(seen)
    assert second == "-2-walk"
    for place in (first, second):
        (tmp_path / f"pyramid{place}.json").write_text("{}")
    assert len(list(tmp_path.iterdir())) == 2


def test_one_explanation_needs_no_name():
    assert _places({"1": SimpleNamespace(label="a/b")}) == [""]
