"""Tests bit-exact resuming with other optimisers, learning rates by part and frozen parts."""

import dataclasses

import numpy as np
import pytest

from tests.training.test_changed_duration import config, killed_at
from tests.training.test_resume import arrays
from vidjax.training.loop import train

SETTINGS = {
    "optimizer__lr_factors": {"head": 4.0},
    "optimizer__layer_decay": 0.5,
    "train__frozen": ("stem",),
    "train__frozen_batch_norm": True,
    # Prodigy divides by the learning rate, which a warm-up starts at 0.
    "schedule__warmup": "0%",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lamb", "adafactor", "radam", "contrib.prodigy"])
def test_a_killed_run_ends_in_the_same_arrays_and_lines(name, tmp_path, monkeypatch):
    made = dataclasses.replace(config(optimizer__name=name, **SETTINGS), writers=())
    train(made, tmp_path / "unbroken")
    killed_at(7, monkeypatch, lambda: train(made, tmp_path / "killed"))
    train(made, tmp_path / "killed")
    texts = [(tmp_path / run / "metrics.jsonl").read_text() for run in ("unbroken", "killed")]
    assert texts[0] == texts[1]
    ours, theirs = arrays(tmp_path / "killed")[1], arrays(tmp_path / "unbroken")[1]
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[path], theirs[path]) for path in theirs)
