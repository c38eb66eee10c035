"""Tests published multi-label weights from their name to a score."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from experiments import network_flags
from tests.convert.test_loading import small_state
from tests.trained.published.test_pretrained import save, tiny
from tests.videos import numbered_frames, write_video
from vidjax.configs import common
from vidjax.progress import ProgressLine
from vidjax.trained.scoring import evaluate

# Four test videos, and the network's names of their labels.
ROWS = {"a.mp4": "run;hold", "b.mp4": "run", "c.mp4": "(none)", "d.mp4": "hold"}
MAPPING = {"run": "class 4", "hold": "class 1"}


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "videos"
    for number, name in enumerate(ROWS):
        write_video(folder / name, numbered_frames(6 + number, 40 + 8 * number, 48) // (number + 1))
    lines = (f"{name},{labels},test" for name, labels in ROWS.items())
    (folder / "videos.csv").write_text("\n".join(["path,labels,split", *lines]))
    return folder


@pytest.fixture
def weights(register, cache, monkeypatch):
    row = tiny(dataset="charades")
    register(row)
    save(cache / row.file, small_state())
    monkeypatch.setattr(network_flags, "CLASS_NAMES", SimpleNamespace(value=None))
    return row.name


def settings(videos, tmp_path):
    config = common.base()
    config.data.manifest, config.data.data_dir = str(videos / "videos.csv"), str(tmp_path / "data")
    return config


def test_mean_average_precision_equals_that_of_the_predictions(
    weights, videos, tmp_path, monkeypatch
):
    monkeypatch.setattr("sys.argv", ["evaluate"])
    config, trained = network_flags.of_weights(weights, settings(videos, tmp_path))
    assert config.data.multi_label
    with ProgressLine(silent=True) as progress:
        report, *_ = evaluate(config, trained, tmp_path / "out", progress, mapping=MAPPING)
    summary = json.loads(report.read_text())
    chances = [dict(trained.predict(videos / name, top=6)) for name in ROWS]
    for label, name in MAPPING.items():
        expected = average_precision_score(
            [label in labels.split(";") for labels in ROWS.values()],
            [each[name] for each in chances],
        )
        assert summary["per_class"][name] == pytest.approx(expected)
    assert summary["map"] == pytest.approx(
        np.mean([summary["per_class"][name] for name in MAPPING.values()])
    )
    assert sum(value is None for value in summary["per_class"].values()) == 4


@pytest.mark.parametrize("several", [True, False])
def test_single_label_weights_and_multi_label_data_are_refused(
    several, register, cache, videos, tmp_path, monkeypatch
):
    """A softmax adds up to 1 even if several classes are present."""
    row = tiny(dataset="charades" if several else "kinetics700")
    register(row)
    save(cache / row.file, small_state())
    monkeypatch.setattr(network_flags, "CLASS_NAMES", SimpleNamespace(value=None))
    monkeypatch.setattr("sys.argv", ["evaluate", f"--config.data.multi_label={not several}"])
    settings = common.base()
    settings.data.multi_label = not several
    config, trained = network_flags.of_weights(row.name, settings)
    classes = "several classes" if several else "one class"
    message = f"data.multi_label = {not several}: .* predicts {classes} per clip"
    with ProgressLine(silent=True) as progress, pytest.raises(ValueError, match=message):
        evaluate(config, trained, tmp_path / "out", progress)
    assert not (tmp_path / "out").exists()
