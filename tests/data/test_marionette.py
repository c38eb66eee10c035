import dataclasses

import numpy as np
import pytest

from vidjax.data.decode import probe, read_video
from vidjax.data.manifest import read_manifest
from vidjax.data.marionette import (
    CLASSES,
    TIMED,
    MarionetteSpec,
    contact_sheet,
    generate,
    render_video,
)
from vidjax.data.marionette.actions import ACTIONS, acting_limbs
from vidjax.data.marionette.generate import mask_file, read_masks
from vidjax.data.marionette.render import render_masks
from vidjax.data.marionette.skeleton import Build, joints

SMALL = MarionetteSpec(train_per_class=2, test_per_class=1, classes=("walk", "sit_down"))


def test_the_same_arguments_give_the_same_pixels_and_others_do_not():
    one = render_video("walk", seed=3, index=5)
    assert np.array_equal(one, render_video("walk", seed=3, index=5))
    for other in ({"seed": 4, "index": 5}, {"seed": 3, "index": 6}):
        video = render_video("walk", **other)
        assert video.shape != one.shape or not np.array_equal(video, one)


@pytest.mark.parametrize("label", CLASSES)
def test_a_figure_moves_and_keeps_its_bones(label):
    build, motion = Build(), ACTIONS[label].motion
    poses = [joints(motion(phase), build) for phase in np.linspace(0, 1, 25)]
    bones = (("hip_l", "knee_l", build.thigh), ("elbow_r", "wrist_r", build.forearm))
    for points in poses:
        for start, end, length in bones:
            assert np.linalg.norm(points[start] - points[end]) == pytest.approx(length)
        feet = [points[f"{name}_{side}"][1] for name in ("ankle", "toe") for side in "lr"]
        assert min(feet) >= -1e-9
    hands = np.array([points["wrist_r"] - points["pelvis"] for points in poses])
    feet = np.array([points["ankle_r"] - points["pelvis"] for points in poses])
    assert max(np.ptp(hands, axis=0).max(), np.ptp(feet, axis=0).max()) > 0.2


def test_the_timed_classes_are_the_pairs_that_share_their_poses():
    pairs = ["pick_up", "put_down", "sit_down", "stand_up", "wave_quickly", "wave_slowly"]
    assert list(TIMED) == pairs


def test_acting_limbs_are_those_that_turn_most():
    limbs = {label: acting_limbs(action) for label, action in ACTIONS.items()}
    assert limbs["kick"] == ("leg_r",)
    assert limbs["wave_slowly"] == limbs["wave_quickly"] == ("arm_r",)
    assert limbs["clap"] == limbs["box"] == ("arm_l", "arm_r")
    assert limbs["bend"] == ("trunk",)
    assert all(limbs.values())


def test_masks_are_where_the_acting_limb_moves():
    """If a figure waves, mostly its arm changes from frame to frame."""
    where = {"split": "test", "index": 1}
    video = render_video("wave_quickly", **where).astype(int)
    masks = render_masks("wave_quickly", **where)
    assert masks.shape == video.shape[:3]
    assert masks.dtype == bool
    assert 0.002 < masks.mean() < 0.05
    change = np.abs(np.diff(video, axis=0)).sum(axis=-1)
    either = masks[1:] | masks[:-1]
    assert change[either].mean() > 3 * change[~either].mean()


@pytest.mark.parametrize(("one", "other"), [("sit_down", "stand_up"), ("pick_up", "put_down")])
def test_pairs_differ_only_in_temporal_order(one, other):
    first, second = ACTIONS[one], ACTIONS[other]
    assert dataclasses.replace(first, backwards=True) == second
    assert not first.repeats


def test_waves_differ_only_in_speed():
    slow, quick = ACTIONS["wave_slowly"], ACTIONS["wave_quickly"]
    assert dataclasses.replace(slow, tempo=quick.tempo) == quick
    assert 2 * slow.tempo[1] < quick.tempo[0] + 0.2


def test_files_are_h264_with_the_rendered_frames_and_a_sound_manifest(tmp_path):
    calls = []
    path = generate(tmp_path, SMALL, workers=1, progress=lambda *done: calls.append(done))
    assert calls[-1] == (6, 6)
    manifest = read_manifest(path)
    assert manifest.classes == ("sit_down", "walk")
    assert [len(manifest.split(name)) for name in ("train", "test")] == [4, 2]
    groups = {split: {e.group for e in manifest.split(split)} for split in manifest.splits}
    assert not groups["train"] & groups["test"]
    entry = manifest.entries[0]
    assert probe(manifest.file(entry)).codec == "h264"
    frames = read_video(manifest.file(entry)).frames
    rendered = render_video(entry.label, seed=0, split="train", index=0)
    assert frames.shape == rendered.shape
    assert np.abs(frames.astype(int) - rendered).mean() < 6
    masks = render_masks(entry.label, seed=0, split="train", index=0)
    assert np.array_equal(read_masks(manifest.file(entry)), masks)
    mask_file(manifest.file(entry)).unlink()
    with pytest.raises(ValueError, match=r"masks/train/\w+/\w+_0000\.npz is missing"):
        read_masks(manifest.file(entry))
    # Masks are added to data sets that were generated without them.
    generate(tmp_path, SMALL, workers=1)
    assert np.array_equal(read_masks(manifest.file(entry)), masks)


def test_validation_has_performers_of_its_own_and_changes_no_other_video(tmp_path):
    split = dataclasses.replace(SMALL, val_per_class=2)
    plain, more = (generate(tmp_path / spec.tag, spec, workers=1) for spec in (SMALL, split))
    manifest = read_manifest(more)
    assert {name: len(manifest.split(name)) for name in manifest.splits} == {
        "train": 4,
        "val": 4,
        "test": 2,
    }
    groups = [{entry.group for entry in manifest.split(name)} for name in manifest.splits]
    assert len(set.union(*groups)) == sum(map(len, groups))
    for entry in read_manifest(plain).entries:
        ours, theirs = (file.parent / entry.path for file in (plain, more))
        assert ours.read_bytes() == theirs.read_bytes()
    people = [render_video("walk", split=name) for name in ("train", "val", "test")]
    assert len({video.tobytes() for video in people}) == 3


def test_folders_of_sets_without_validation_keep_their_names():
    # Tags from versions without validation videos.
    assert MarionetteSpec().tag == "821a9086d0eb"
    assert MarionetteSpec(train_per_class=48, test_per_class=12, seed=1).tag == "cf72fde81a49"
    assert MarionetteSpec(val_per_class=1).tag != MarionetteSpec().tag


def test_a_resumed_generation_equals_an_uninterrupted_one(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    generate(whole, SMALL, workers=1)
    generate(broken, SMALL, workers=2)
    files = sorted(file.relative_to(whole) for file in whole.rglob("*.mp4"))
    (broken / "manifest.csv").unlink()
    (broken / files[2]).unlink()
    kept = (broken / files[0]).stat().st_mtime_ns
    generate(broken, SMALL, workers=1)
    assert (broken / files[0]).stat().st_mtime_ns == kept
    for file in files:
        assert (whole / file).read_bytes() == (broken / file).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"train_per_class": 0}, "train_per_class = 0: must be a whole number in"),
        ({"size": (33, 64)}, "even numbers"),
        ({"classes": ("fly",)}, r"classes = \('fly',\): must be a tuple of some of"),
    ],
)
def test_impossible_specs_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MarionetteSpec(**arguments)
    with pytest.raises(ValueError, match="label 'fly' is unknown"):
        render_video("fly")


def test_a_contact_sheet_shows_the_frames_it_says():
    video = render_video("jump", index=1)
    sheet = contact_sheet([video], ["jump"], columns=3)
    assert np.array_equal(sheet[17:113, 1:129], video[0])
    assert np.array_equal(sheet[17:113, -129:-1], video[-1])
