"""Tests the printed form of model cards."""

import re

import pytest

import vidjax


@pytest.mark.parametrize("name", vidjax.list_models())
def test_a_printed_card_has_the_facts(name):
    card = vidjax.model_card(name)
    text = str(card)
    assert text.splitlines()[0] == name
    (params,) = re.findall(r"parameters: ([\d,]+) with 400 classes", text)
    assert int(params.replace(",", "")) == card.params
    (macs,) = re.findall(r"multiply-adds: ([\d.]+) G per clip", text)
    assert float(macs) == pytest.approx(card.macs / 1e9, abs=6e-4)
    words = " ".join(text.split())
    for fact in (card.paper, *card.tables, " ".join(card.notes.split())):
        assert fact in words
    assert max(map(len, text.splitlines())) <= 100
