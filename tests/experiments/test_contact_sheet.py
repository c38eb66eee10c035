"""Tests the drawn input of a network against the batches themselves."""

import jax.numpy as jnp
import matplotlib.image
import numpy as np
import pytest

from configs import synthetic
from tests.commands import run_command
from vidjax.data.pipeline import train_batches
from vidjax.data.synthetic import SyntheticSplit
from vidjax.run.config import from_mapping
from vidjax.training.input_preview import test_views as views_of
from vidjax.training.input_preview import training_batch


def config(**changes):
    made = synthetic.get_config()
    made.model.options = {"width": 4, "depths": (1, 0, 0, 0)}
    made.data.options = {"num_classes": 3, "videos": 12, "frames": 20, "size": 40}
    made.clip.update({"frames": 4, "stride": 2, "size": 24})
    made.eval.update({"size": 24, "clips": 2, "crops": 1, "batch_size": 4})
    made.train.update({"duration": "3 steps", "batch_size": 4})
    for name, value in changes.items():
        group, _, key = name.partition("__")
        made[group][key] = value
    return from_mapping(made)


def quiet(what, done, total):
    """A progress function that does nothing."""


def test_it_is_the_batch_that_training_gets():
    settings = config()
    fed = training_batch(settings, 2, quiet)
    source = SyntheticSplit(num_classes=3, videos=12, frames=20, size=40)
    batches = train_batches(source, settings.clip, settings.augment, batch_size=4, seed=0)
    np.testing.assert_array_equal(fed.clips, batches[2]["clip"])
    assert list(fed.names) == [source.classes[label] for label in batches[2]["label"]]


def test_augmentation_of_the_device_is_applied():
    on_host = training_batch(config(augment__chain=1.0), 0, quiet)
    on_device = training_batch(config(augment__chain=1.0, augment__device=True), 0, quiet)
    assert jnp.abs(on_device.clips.astype(int) - on_host.clips.astype(int)).max() <= 1


def test_batches_of_a_multigrid_have_the_shape_of_their_step():
    settings = config(multigrid__cycle="long", train__duration="8 steps")
    shapes = {training_batch(settings, number, quiet).clips.shape for number in range(8)}
    # (T/4, H/sqrt2) of 4x24x24, then (T/2, H/sqrt2), then (T/2, H).
    assert {(32, 1, 16, 16, 3), (16, 2, 16, 16, 3), (8, 2, 24, 24, 3)} & shapes


def test_views_are_all_clips_by_crops():
    fed = views_of(config(), 1, quiet)
    assert fed.clips.shape == (2, 4, 24, 24, 3)
    assert [name.partition(", ")[2] for name in fed.names] == ["clip 1, crop 1", "clip 2, crop 1"]


def test_missing_batches_and_videos_are_refused():
    with pytest.raises(ValueError, match="batch 3: the run has 3 batches, counted from 0"):
        training_batch(config(), 3, quiet)
    with pytest.raises(ValueError, match="video 12: split 'test' has 12 videos, counted"):
        views_of(config(), 12, quiet)


def test_the_command_draws_a_figure_and_overwrites_none(tmp_path):
    sheet = tmp_path / "sheet.png"
    command = ["experiments.contact_sheet", "--config=configs/synthetic.py", f"--output={sheet}"]
    small = [
        "--config.data.options={'num_classes':3,'videos':8,'frames':8,'size':40}",
        "--config.clip.frames=4",
        "--config.clip.size=32",
        "--config.train.batch_size=4",
    ]
    done = run_command(*command, *small)
    assert done.returncode == 0, done.stderr
    assert "4 of 4 clips, each 4x32x32" in done.stdout
    picture = matplotlib.image.imread(sheet)
    # Four rows of clips with four frames each, drawn at 96 pixels or more.
    assert min(picture.shape[:2]) > 4 * 96
    again = run_command(*command, *small)
    assert again.returncode == 2
    assert "exists already; name another file" in again.stderr
