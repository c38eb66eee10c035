"""Tests options on a command line, as `prepare` and `convert` take them."""

import pytest

from experiments import option_flags


def test_values_are_python_literals_or_text():
    texts = ["split=2", "variant=mmaction2", "depths=(1, 2)", "scan=True", "url=a=b", "e="]
    assert option_flags.parsed(texts, "x=1") == {
        "split": 2,
        "variant": "mmaction2",
        "depths": (1, 2),
        "scan": True,
        "url": "a=b",
        "e": "",
    }


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["split"], "--option=split: name=value is expected, such as x=1"),
        (["=2"], "--option==2: name=value is expected"),
        (["a=1", "b=2", "a=3"], "--option=a=3: a is given twice"),
    ],
)
def test_invalid_options_are_refused(texts, message):
    with pytest.raises(ValueError, match=message):
        option_flags.parsed(texts, "x=1")
