"""Tests that the order of settings is kept in configuration files, flags and config.json."""

import json

import ml_collections
import pytest

from configs import synthetic
from tests.commands import refusal, run_command
from vidjax.run.config import ConfigError, from_mapping, is_free, to_mapping
from vidjax.run.workdir import check, claim

BOTH = {"trivial_augment": {"chance": 0.5}, "random_erasing": {"chance": 0.25}}
OTHER = dict(reversed(BOTH.items()))
TINY = (
    "--config=synthetic",
    "--config.model.options={'width': 4, 'depths': (1, 0, 0, 0), 'stem_kernel': (1, 3, 3)}",
    "--config.data.options={'num_classes': 3, 'videos': 8, 'frames': 4, 'size': 20}",
    "--config.clip={'frames': 2, 'stride': 1, 'size': 16, 'short': 'loop'}",
    "--config.eval.size=16",
    "--config.train.batch_size=4",
    "--config.train.duration=2 steps",
    "--config.every.evaluate=2 steps",
)


def configured(also):
    config = synthetic.get_config()
    config.augment.also = also
    return from_mapping(config)


@pytest.mark.parametrize("also", [BOTH, OTHER])
def test_a_configuration_keeps_its_order(also):
    made = configured(also)
    assert list(made.augment.also) == list(also)
    read = from_mapping(json.loads(json.dumps(to_mapping(made))))
    assert read == made
    assert list(read.augment.also) == list(also)
    updated = synthetic.get_config()
    updated.augment.update({"also": also})
    assert list(from_mapping(updated).augment.also) == list(also)
    again = from_mapping(ml_collections.ConfigDict(to_mapping(made)))
    assert list(again.augment.also) == list(also)


def test_a_run_in_another_order_is_another_run(tmp_path):
    run = tmp_path / "run"
    claim(run, configured(BOTH), ("a", "b"))
    (run / "metrics.jsonl").write_text("")
    check(run, configured(dict(BOTH)))
    with pytest.raises(ConfigError, match="augment.also has the order trivial_augment, random_er"):
        check(run, configured(OTHER))


def test_free_groups_are_known_by_their_paths():
    for path in ("augment.also", "augment.also.x.y", "model.options", "data.options.a"):
        assert is_free(path), path
    for path in ("", "augment", "augment.flip", "train.cutmix", "model.options_"):
        assert not is_free(path), path


def kept(folder, *arguments):
    """Returns the augmentations in a run's config.json, and the command's output."""
    done = run_command("experiments.train", *TINY, f"--workdir={folder}", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "config.json").read_text())["augment"]["also"], done


def test_both_notations_of_a_command_line_keep_the_order(tmp_path):
    command = ["experiments.train", "--config=synthetic", f"--workdir={tmp_path / 'run'}"]
    parts = [f"--config.augment.also.{n}.chance={each['chance']}" for n, each in OTHER.items()]
    for form in ([f"--config.augment.also={OTHER}"], parts):
        # This error shows how the setting was parsed.
        done = run_command(*command, "--config.augment.device=true", *form)
        assert f"augment.also = {OTHER} with augment.device = True" in refusal(done)


@pytest.mark.slow
def test_both_notations_of_a_command_line_name_the_same_run(tmp_path):
    whole = f"--config.augment.also={BOTH}"
    parts = [
        "--config.augment.also.trivial_augment.chance=0.5",
        "--config.augment.also.random_erasing.chance=0.25",
    ]
    one, _ = kept(tmp_path / "run", whole)
    assert list(one.items()) == list(BOTH.items())
    first = (tmp_path / "run/metrics.jsonl").read_text()
    assert '"split": "train"' in first
    # The other notation names the same run, which has ended.
    two, _ = kept(tmp_path / "run", *parts)
    assert list(two.items()) == list(BOTH.items())
    assert (tmp_path / "run/metrics.jsonl").read_text() == first
    command = ["experiments.train", *TINY, f"--workdir={tmp_path / 'run'}"]
    other = run_command(*command, *reversed(parts))
    assert "augment.also has the order trivial_augment, random_erasing there, " in refusal(other)
    # Parts of a run's settings can be changed, in existing groups and in new ones.
    settings = ("random_erasing.chance=1.0", "rand_augment.layers=3")
    done = run_command(
        "experiments.contact_sheet",
        f"--workdir={tmp_path / 'run'}",
        f"--output={tmp_path / 'sheet.png'}",
        *(f"--config.augment.also.{setting}" for setting in settings),
    )
    assert done.returncode == 0, done.stderr


def test_invalid_augmentations_are_refused_before_anything_starts(tmp_path):
    command = ["experiments.train", "--config=synthetic", f"--workdir={tmp_path / 'run'}"]
    done = run_command(*command, "--config.augment.also.random_erasing.chance=2")
    assert (
        refusal(done)
        == "error: augment.also.random_erasing.chance = 2: must be a number in [0, 1]\n"
    )
    assert not (tmp_path / "run").exists()


def test_a_part_of_any_free_group_can_be_set(tmp_path):
    command = ["experiments.train", "--config=synthetic", f"--workdir={tmp_path / 'run'}"]
    part = "--config.model.options.random_scaling.target=nowhere"
    assert "random_scaling target = 'nowhere': must be one of" in refusal(
        run_command(*command, part)
    )
    # The whole setting is applied after the groups are made, and lacks this group.
    whole = "--config.model.options={'width': 4}"
    assert "has no group" in refusal(run_command(*command, whole, part))
