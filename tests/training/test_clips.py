"""Tests that `vidjax.clips` gives the batches that `vidjax train` and `vidjax evaluate` use."""

import numpy as np
import pytest

import vidjax
from tests.videos import write_video
from vidjax.configs import synthetic
from vidjax.run.config import from_mapping
from vidjax.training.input_preview import test_views as views_of
from vidjax.training.input_preview import training_batch

SMALL = {
    "model": {"options": {"width": 4, "depths": (1, 0, 0, 0)}},
    "data": {"options": {"num_classes": 3, "videos": 7, "frames": 6, "size": 20}},
    "clip": {"frames": 2, "stride": 1, "size": 16},
    "eval": {"size": 16, "batch_size": 2, "crops": 1},
    "train": {"batch_size": 2},
}


def small(**changes):
    config = synthetic.get_config()
    for group, values in {**SMALL, **changes}.items():
        config[group].update(values)
    return config


def test_training_batches_equal_those_of_a_run():
    found = vidjax.clips(small(), normalized=False, epochs=3)
    # 3 epochs of 7 videos in batches of 2, rounded like the steps of a run.
    assert len(found) == 11
    config = from_mapping(small(train={"batch_size": 2, "duration": "3 epochs"}))
    for number, batch in enumerate(found):
        preview = training_batch(config, number, lambda *_: None)
        np.testing.assert_array_equal(batch["clip"], preview.clips)
        assert [found.classes[label] for label in batch["label"]] == list(preview.names)
        np.testing.assert_array_equal(found[number]["clip"], batch["clip"])
    assert number == 10


def test_clips_are_normalised_for_the_network():
    config = small(model={"options": SMALL["model"]["options"], "mean": (0.5, 0.25, 0.1)})
    config.model.std = (0.5, 0.2, 0.1)
    raw, found = (vidjax.clips(config, normalized=each)[0]["clip"] for each in (False, True))
    assert found.dtype == np.float32
    expected = (raw / 255 - np.array([0.5, 0.25, 0.1])) / np.array([0.5, 0.2, 0.1])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_device_augmentation_is_applied():
    augment = {"device": True, "chain": 0.9, "crop": "fixed"}
    host = vidjax.clips(small(augment={**augment, "device": False}), normalized=False)[0]
    device = vidjax.clips(small(augment=augment), normalized=False)[0]
    assert set(device) == {"clip", "label", "mask"}
    np.testing.assert_allclose(device["clip"].astype(int), host["clip"], atol=1)


def test_evaluation_has_each_video_once_with_a_row_per_view():
    config = small(eval={"clips": 2, "crops": 3, "size": 8, "short_side": 16, "batch_size": 2})
    found = vidjax.clips(config, "test", normalized=False, eval={"crops": 1})
    assert (found.training, len(found)) == (False, 7)
    rows = {name: np.concatenate([batch[name] for batch in found]) for name in found[0]}
    for video in range(7):
        of_it = (rows["video"] == video) & rows["mask"]
        preview = views_of(found.config, video, lambda *_: None)
        np.testing.assert_array_equal(rows["clip"][of_it], preview.clips)
    assert rows["mask"].sum() == 14
    with pytest.raises(IndexError, match="batch 7 of 7"):
        found[7]


def test_a_folder_of_videos_is_enough(tmp_path):
    for label, count in (("sit", 3), ("walk", 3)):
        for number in range(count):
            frames = np.full((12, 32, 64, 3), 40 * number + 60, np.uint8)
            write_video(tmp_path / "videos" / label / f"{number}.mp4", frames)
    found = vidjax.clips(
        tmp_path / "videos",
        batch_size=4,
        data={"data_dir": str(tmp_path / "data"), "short_side": 32},
        clip={"frames": 4, "size": 16},
    )
    assert found.classes == ("sit", "walk")
    assert found[0]["clip"].shape == (4, 4, 16, 16, 3)
    with pytest.raises(
        ValueError, match="^split = 'tain': the videos are in the splits train, test$"
    ):
        vidjax.clips(tmp_path / "videos", "tain", data={"data_dir": str(tmp_path / "data")})


@pytest.mark.parametrize(
    ("source", "settings", "message"),
    [
        ("demo", {"clip": {"frame": 3}}, "config.clip.frame is not a setting; did you mean 'fram"),
        ("demo", {"clip": 3}, "clip = 3: pass a group of settings by name"),
        ("demo", {"clips": {"frames": 3}}, "config.clips is not a setting; did you mean 'clip'"),
        ("demo:smok=true", {}, "config argument 'smok' is unknown"),
        ("nowhere.csv", {}, "nowhere.csv does not exist"),
    ],
)
def test_errors_are_named(source, settings, message):
    with pytest.raises(ValueError, match=message):
        vidjax.clips(source, **settings)
