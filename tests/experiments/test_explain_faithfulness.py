"""Tests faithfulness: an oracle wins, results are kept, and invalid arguments are refused."""

import csv
import dataclasses
import json
import shutil
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from configs import synthetic
from experiments.explain.explained_network import Subject
from experiments.explain.map_evaluation import MapEvaluation
from tests.commands import refusal
from tests.experiments.test_explain import call, with_options
from vidjax import plugins
from vidjax.data.marionette.generate import MarionetteSpec, read_masks
from vidjax.explain.map_selection import choose
from vidjax.explain.maps import Heat, Map
from vidjax.run.config import from_mapping
from vidjax.run.workdir import read_config
from vidjax.trained.sources.run import open_run
from vidjax.training.loop import train

MAPS = "--maps=cam,saliency_tube:tau=0.5"
OTHER = {"width": 8, "depths": (0, 0, 1, 0), "dropout": 0.5}
DATA = {"classes": ("kick", "wave_quickly"), "train_per_class": 1, "test_per_class": 2}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Makes a run of two steps on marionette, and a copy that counts as another seed."""
    root = tmp_path_factory.mktemp("faithfulness")
    config = two_steps()
    config.data.update({"name": "marionette", "data_dir": str(root / "data"), "short_side": 32})
    config.data.options = {**DATA, "size": (32, 48)}
    train(from_mapping(config), root / "first")
    shutil.copytree(root / "first", root / "second")
    file = root / "second/config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"seed": 1}))
    return root


def two_steps():
    """Makes a run on random arrays."""
    config = synthetic.get_config()
    config.model.name = "slowonly_34"
    config.model.options = {"width": 8, "depths": (0, 0, 1, 0), "dropout": 0.0}
    config.train.update({"duration": "2 steps", "batch_size": 2})
    config.every.update({"log": "2 steps", "checkpoint": "2 steps", "evaluate": "2 steps"})
    config.clip.update({"frames": 4, "stride": 2, "size": 32})
    config.eval.update({"size": 32, "batch_size": 2})
    config.data.threads = config.data.workers = 1
    config.data.options = {"num_classes": 2, "videos": 2, "frames": 8, "size": 32}
    return config


def faithfulness(root, runs, *arguments):
    workdirs = ",".join(str(root / run) for run in runs)
    return call(f"--workdir={workdirs}", "--steps=2", *arguments, method="faithfulness")


def rows(file):
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def opened(run):
    config = from_mapping(read_config(run))
    subject = Subject(str(run), config, open_run(run), run)
    return MapEvaluation.open(subject, None, lambda *_: None, None)


@pytest.fixture
def registering(monkeypatch):
    """Registered modules are removed after the test."""
    monkeypatch.setattr(plugins, "_registered", {})
    yield
    monkeypatch.undo()
    plugins.refresh()


def test_an_oracle_points_into_every_mask_and_chance_does_not(root, registering):
    evaluation = opened(root / "first")
    clips = list(evaluation.clips())
    assert len(clips) == 4
    masks = {video_clip.clip.tobytes(): video_clip.mask for video_clip in clips}

    def draw(network, variables, clip, class_index, layer):
        """Draws the mask itself."""
        return Heat((masks[np.asarray(clip[0]).tobytes()].astype(np.float32),), 0)

    oracle = SimpleNamespace(MAPS=(Map("oracle", "O", draw, "here"),))
    plugins.register("vidjax.explain.maps", "oracle", oracle)
    measured = {
        own.text: [evaluation.measure(own, video_clip, 4) for video_clip in clips]
        for own in choose(["oracle"])
    }
    for video_clip, own, chance in zip(clips, measured["oracle"], measured["random"], strict=True):
        assert 0 < own.area == video_clip.mask.mean() < 0.5
        assert (own.pointing, own.energy) == pytest.approx((1, 1))
        assert chance.energy < 0.5
        assert own.deletion[0] == own.insertion[-1] == chance.deletion[0]
        assert own.deletion[-1] == own.insertion[0]


def test_masks_are_cut_as_the_frames_are(root):
    evaluation = opened(root / "first")
    folder = root / "data/marionette_videos" / MarionetteSpec(**DATA, size=(32, 48)).tag
    for video_clip in evaluation.clips():
        stored = read_masks(folder / video_clip.name)
        (indices,) = evaluation.network.views.shape.view_indices(len(stored), 1)
        # The crop is the middle of frames of the same height.
        assert np.array_equal(video_clip.mask, stored[indices, :, 8:40])


@pytest.mark.slow
def test_seeds_are_one_network_and_equal_weights_give_equal_maps(root, tmp_path):
    output = tmp_path / "out"
    more = ("--sanity=1", f"--shuffled={root / 'second'}")
    done = faithfulness(root, ("first", "second"), MAPS, f"--output={output}", *more)
    assert done.returncode == 0, done.stderr
    found = rows(output / "faithfulness.csv")
    assert {row["network"] for row in found} == {"slowonly_34"}
    assert {(row["videos"], row["seeds"]) for row in found} == {("4", "2")}
    by = {(row["map"], row["quantity"]): row for row in found}
    # The same weights twice: only random maps differ between the seeds.
    assert float(by["cam", "energy"]["seeds_half"]) == 0
    assert float(by["random", "energy"]["seeds_half"]) > 0
    sane = rows(output / "sanity.csv")
    assert [row["other"] for row in sane if row["map"] == "cam"] == [
        *("head", "layer3", "stem_layer"),
        *("shuffled labels", "another seed"),
    ]
    for row in sane:
        if row["check"] != "parameters":
            assert float(row["correlation"]) == pytest.approx(1, abs=1e-6)
            assert float(row["similarity"]) == pytest.approx(1, abs=1e-6)
        elif row["other"] == "stem_layer" and row["map"] == "cam":
            assert float(row["correlation"]) < 0.99
    for name in ("faithfulness.png", "curves.png", "sanity.png"):
        assert cv2.imread(str(output / name)) is not None
    assert "| CAM |" in (output / "faithfulness.md").read_text()


@pytest.mark.slow
def test_a_run_on_shuffled_labels_is_of_the_same_network(root, tmp_path):
    other = with_options(root / "first", "other", {"options": OTHER})
    given = ("--maps=cam", "--sanity=1", f"--shuffled={other}", f"--output={tmp_path}")
    assert "none of the runs has this network" in refusal(faithfulness(root, ["first"], *given))


def test_a_resumed_command_gives_the_results_of_an_uninterrupted_one(root, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert faithfulness(root, ["first"], MAPS, f"--output={whole}").returncode == 0
    shutil.copytree(whole, broken)
    kept = (broken / "measured.jsonl").read_text().splitlines()
    assert len(kept) == 4 * 5
    # The state after a kill: some lines, an incomplete line, and no results.
    (broken / "measured.jsonl").write_text("\n".join([*kept[:7], kept[7][:20]]))
    for file in broken.iterdir():
        if file.name not in ("measured.jsonl", "settings.json"):
            file.unlink()
    done = faithfulness(root, ["first"], MAPS, f"--output={broken}")
    assert done.returncode == 0, done.stderr
    again = (broken / "measured.jsonl").read_text().splitlines()
    assert again[:7] == kept[:7]
    assert len(again) == len(kept)
    for file in ("faithfulness.csv", "curves.csv"):
        assert (broken / file).read_bytes() == (whole / file).read_bytes()


@pytest.mark.slow
def test_videos_without_masks_have_deletion_and_insertion(tmp_path):
    train(from_mapping(two_steps()), tmp_path / "arrays")
    done = faithfulness(tmp_path, ["arrays"], "--maps=cam", f"--output={tmp_path / 'out'}")
    assert done.returncode == 0, done.stderr
    found = rows(tmp_path / "out/faithfulness.csv")
    assert {row["quantity"] for row in found} == {"deletion", "insertion"}


def test_invalid_arguments_are_refused_in_one_line(root, tmp_path):
    def refused(run, *arguments):
        return refusal(faithfulness(root, [run], f"--output={tmp_path}", *arguments))

    assert "map 'cma' is unknown: did you mean 'cam'" in refused("first", "--maps=cma")
    assert "--shuffled has no effect without --sanity" in refused("first", "--shuffled=x")
    assert "cannot be computed" in refused("first", "--maps=class_regularization")
    (tmp_path / "settings.json").write_text(json.dumps({"steps": 3, "runs": {}}))
    assert "results of other settings (--steps: 3 there, 2 here)" in refused("first", "--maps=cam")
    (tmp_path / "faithfulness.csv").write_text("")
    assert "faithfulness.csv exists already" in refused("first")


def test_changed_results_are_refused(root, tmp_path):
    def refused():
        given = ("--maps=cam", "--videos=1", f"--output={tmp_path}")
        return refusal(faithfulness(root, ["first"], *given))

    line = {"run": "x", "video": "y", "map": "cam", "cells": "", "passes": 1, "seconds": 1}
    curves = {"deletion": [1, 0], "insertion": [0, 1]}
    (tmp_path / "measured.jsonl").write_text(json.dumps(line | curves | {"passes": -1}) + "\n")
    assert "measured.jsonl, line 1, is damaged (passes = -1" in refused()
    (tmp_path / "measured.jsonl").write_text(json.dumps(line | curves) + "\n")
    assert "measured.jsonl is damaged (a curve of y does not have 3 points)" in refused()


def test_several_labels_are_refused(root):
    subject = Subject(
        "mine", from_mapping(read_config(root / "first")), open_run(root / "first"), root / "first"
    )
    several = dataclasses.replace(subject.trained, multi_label=True)
    with pytest.raises(ValueError, match="mine has several labels per video"):
        MapEvaluation.open(
            dataclasses.replace(subject, trained=several), None, lambda *_: None, None
        )
