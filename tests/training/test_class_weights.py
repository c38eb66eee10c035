"""Tests class weights from counts and from tables, and what a run prints about them."""

import json
import shutil

import numpy as np
import pytest

from configs import synthetic
from tests.commands import refusal, run_command
from tests.training.test_resume import arrays
from vidjax.data.class_weight_table import read_class_weights
from vidjax.data.synthetic import SyntheticSplit
from vidjax.run.config import ConfigError, from_mapping
from vidjax.training.class_weights import ClassWeights, weigh
from vidjax.training.loop import train
from vidjax.training.startup_notes import startup_notes

NAMES = ("walk", "sit", "=up")
COUNTS = np.array([8, 2, 0])


def config(**settings):
    made = synthetic.get_config()
    made.model.options = {"width": 4, "depths": (1, 0, 0, 0), "stem_kernel": (1, 3, 3)}
    made.data.options = {"num_classes": 3, "videos": 10, "frames": 4, "size": 20}
    made.clip.update({"frames": 2, "stride": 1, "size": 16})
    made.eval.update({"size": 16, "batch_size": 8})
    made.train.update({"duration": "6 steps", "batch_size": 4})
    made.every.update({"log": "1 steps", "checkpoint": "3 steps", "evaluate": "6 steps"})
    for name, value in settings.items():
        group, _, key = name.partition("__")
        made[group][key] = value
    return from_mapping(made)


def test_rare_classes_have_larger_weights_with_mean_one_over_videos():
    counts = np.array([8, 2, 0, 5])
    balanced, roots = weigh("balanced", counts, "abcd"), weigh("inverse_sqrt", counts, "abcd")
    # n / (K count) of the K = 3 classes that have videos.
    assert balanced == pytest.approx([15 / 24, 15 / 6, 0, 1])
    assert np.dot(balanced, counts) / 15 == pytest.approx(1)
    assert np.dot(roots, counts) / 15 == pytest.approx(1)
    assert roots[1] / roots[0] == pytest.approx(2)
    assert roots[2] == 0
    assert weigh("none", counts, "abcd") == ()


def table(folder, *rows, header="class,weight"):
    file = folder / "weights.csv"
    file.write_text("\n".join((header, *rows)))
    return file


def test_a_table_is_matched_by_name_in_any_order(tmp_path):
    file = table(tmp_path, "sit,2.5,x", "=up,0,y", " walk ,1,z", header="class,weight,note")
    assert read_class_weights(file, NAMES) == (1.0, 2.5, 0.0)
    assert weigh(str(file), COUNTS, NAMES) == (1.0, 2.5, 0.0)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["wlak,1", "sit,1", "=up,1"], "line 2: there is no class 'wlak' (did you mean 'walk'?); "),
        (["walk,1", "sit,1", "walk,1"], "line 4: class 'walk' is repeated"),
        (["walk,1"], "has no weight for '=up', 'sit'; add a row for each class"),
        (["walk,-1", "sit,1", "=up,1"], "line 2: weight = '-1'"),
        (["walk,nan", "sit,1", "=up,1"], "line 2: weight = 'nan'"),
        (["walk,much", "sit,1", "=up,1"], "line 2: weight = 'much'"),
        (["walk,0", "sit,0", "=up,1"], "must give a weight above 0 to at least one class"),
        ([], "has no weight for '=up', 'sit', 'walk'"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_in_one_line(tmp_path, rows, message):
    file = table(tmp_path, *rows)
    with pytest.raises(ConfigError, match="train.class_weights: ") as caught:
        weigh(str(file), COUNTS, NAMES)
    assert message in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_without_the_columns_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="lacks the column 'weight'"):
        weigh(str(table(tmp_path, "walk,1", header="class,w")), COUNTS, NAMES)


def test_a_run_stores_its_class_weights_and_refuses_others(tmp_path):
    ours = ClassWeights(NAMES, COUNTS, (1 / 3, 2.0, 0.1))
    ours.keep(tmp_path)
    text = (tmp_path / "class_weights.csv").read_text()
    assert text.startswith("class,weight\nwalk,0.3333333333333333\nsit,2.0\n'=up,0.1")
    ours.keep(tmp_path)
    assert (tmp_path / "class_weights.csv").read_text() == text
    with pytest.raises(ConfigError, match="class 'sit' now has weight 3, but it had 2 when"):
        ClassWeights(NAMES, COUNTS, (1 / 3, 3.0, 0.1)).keep(tmp_path)


def test_without_class_weights_nothing_is_read_or_written(tmp_path):
    class Unasked(SyntheticSplit):
        def labels(self):
            pytest.fail("labels were asked for")

    classes = ClassWeights.of(config(), Unasked(num_classes=3, videos=10))
    classes.keep(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert list(startup_notes(config(), classes)) == []


def test_active_options_are_reported():
    on = config(
        train__class_weights="balanced",
        train__sampling="balanced",
        train__mixup=0.8,
        train__cutmix=1.0,
        train__cutmix_chance=0.5,
        augment__also={"trivial_augment": {}, "random_erasing": {}},
    )
    classes = ClassWeights(NAMES, COUNTS, weigh("balanced", COUNTS, NAMES))
    assert list(startup_notes(on, classes)) == [
        "class weights (balanced) range from 0.625 (walk, 8 videos) to 2.5 (sit, 2 videos)",
        "classes without training videos: '=up'",
        "balanced sampling: each class has 5 clips per epoch, so a video is seen 0.625 times "
        "(walk) to 2.5 times (sit)",
        "50 % of the batches are mixed with MixUp (alpha 0.8) or CutMix (alpha 1), half of them "
        "with each",
        "each clip is also augmented by trivial_augment, then random_erasing",
    ]


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """Returns a run with all options active, its table of class weights and its configuration."""
    folder = tmp_path_factory.mktemp("weighted")
    rows = [f"brightness {k},{weight}" for k, weight in ((2, 4), (0, 1), (1, 0.5))]
    on = config(
        train__class_weights=str(table(folder, *rows)),
        train__sampling="balanced",
        train__mixup=0.8,
        train__cutmix=1.0,
        train__accumulate=2,
        augment__also={"trivial_augment": {}, "random_erasing": {"chance": 0.5}},
    )
    train(on, folder / "run")
    return folder, on


def test_a_run_with_all_options_resumes_bit_for_bit(everything, tmp_path, capsys):
    folder, on = everything
    again = tmp_path / "run"
    shutil.copytree(folder / "run", again)
    shutil.rmtree(again / "checkpoints" / "6")
    train(on, again)
    said = capsys.readouterr().err
    assert "resuming after step 3 of 6" in said
    assert "from 0.5 (brightness 1, 3 videos) to 4 (brightness 2, 3 videos)" in said
    assert (again / "metrics.jsonl").read_text() == (folder / "run/metrics.jsonl").read_text()
    (one, ours), (two, theirs) = arrays(again), arrays(folder / "run")
    assert one == two == 6
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_a_run_whose_table_was_edited_is_refused(everything, tmp_path):
    folder, on = everything
    again = tmp_path / "run"
    shutil.copytree(folder / "run", again)
    file = folder / "weights.csv"
    kept = file.read_text()
    file.write_text(kept.replace("brightness 2,4", "brightness 2,5"))
    try:
        with pytest.raises(ConfigError, match="'brightness 2' now has weight 5, but it had 4"):
            train(on, again)
    finally:
        file.write_text(kept)


def test_class_weights_change_training_and_the_reported_loss(everything, tmp_path):
    folder, on = everything
    settings = {"train__sampling": "balanced", "train__mixup": 0.8, "train__cutmix": 1.0}
    plain = config(**settings, train__accumulate=2, augment__also=dict(on.augment.also))
    train(plain, tmp_path / "run")
    ours, theirs = (
        [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        for run in (folder / "run", tmp_path / "run")
    )
    # The same clips with different weights.
    assert ours[0]["top1"] == theirs[0]["top1"]
    assert ours[0]["loss"] != theirs[0]["loss"]
    assert not (tmp_path / "run/class_weights.csv").exists()


def test_a_missing_table_is_refused_at_the_start(tmp_path):
    run = tmp_path / "run"
    setting = "--config.train.class_weights=absent.csv"
    done = run_command("experiments.train", "--config=synthetic", f"--workdir={run}", setting)
    assert "train.class_weights = 'absent.csv': the file does not exist" in refusal(done)
    assert not run.exists()
