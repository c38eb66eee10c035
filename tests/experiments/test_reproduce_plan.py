"""Tests tables, their plans, and the location of their videos."""

import csv
import dataclasses
import json
from collections import Counter
from pathlib import Path

import pytest

from configs import synthetic
from experiments.reproduce import code_digest, data_sets
from experiments.reproduce.plan import Plan
from experiments.reproduce.table import Row, Setup, Table, find_tables
from vidjax.run.config import from_mapping, to_mapping

NAMES = ["rms.2", "cr.6.4"]


def table(seeds=(0, 1), lr=0.1):
    def configure(row):
        config = synthetic.get_config()
        config.optimizer.lr = lr
        config.train.label_smoothing = {"plain": 0.0, "smooth": 0.1}[row]
        return config

    rows = (Row("plain", "plain"), Row("smooth", "smooth"))
    setups = {"small": {"made_up": Setup(configure, seeds)}}
    return Table("t.1", "a table", "no paper", rows, "plain", setups)


def plan_of(root, **changes):
    return Plan.of(table(**changes), "small", ["made_up"], root, root / "data")


def test_tables_are_found_by_their_files():
    assert [found.name for found in find_tables(NAMES)] == NAMES
    with pytest.raises(ValueError, match="--table=rms.7 is unknown: did you mean 'rms."):
        find_tables(["rms.7"])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", ["smoke", "small", "paper"])
def test_every_row_is_a_valid_configuration_and_differs_only_in_its_method(name, scale):
    (found,) = find_tables([name])
    assert found.reference in [row.name for row in found.rows]
    for setup in found.setups[scale].values():
        mappings = {
            row.name: to_mapping(from_mapping(setup.config(row.name))) for row in found.rows
        }
        plain = mappings.pop(found.reference)
        for mapping in mappings.values():
            changed = {
                (group, key)
                for group, settings in mapping.items()
                if isinstance(settings, dict)
                for key, value in settings.items()
                if value != plain[group][key]
            }
            assert changed in ({("model", "options")}, {("train", "cutmix")})
        assert len({json.dumps(mapping) for mapping in mappings.values()}) == len(mappings)


def test_the_tables_of_the_issue_are_complete():
    rms, cr = find_tables(NAMES)
    assert len(rms.rows) == 8
    assert len(cr.rows) == 3
    for found in (rms, cr):
        assert {*found.setups["small"]} == {"marionette", "jhmdb"}
        # The table does not use the seed with which the budgets were chosen.
        assert all(setup.seeds == (0, 1, 2) for setup in found.setups["small"].values())


def test_a_plan_has_every_row_with_every_seed_in_a_directory_of_its_own(tmp_path):
    plan = plan_of(tmp_path)
    order = [(run.row, run.seed) for run in plan.runs]
    assert order == [("plain", 0), ("smooth", 0), ("plain", 1), ("smooth", 1)]
    assert plan.runs[1].workdir == tmp_path / "t.1-small/made_up/smooth/seed0"
    assert [run.config.seed for run in plan.runs] == [0, 0, 1, 1]
    assert plan.runs[1].config.train.label_smoothing == 0.1


def test_the_plan_is_stored_and_resumed(tmp_path):
    plan_of(tmp_path).write_down()
    file = tmp_path / "t.1-small/plan.json"
    written = file.read_bytes()
    mapping = json.loads(written)
    assert mapping["runs"]["made_up/smooth/seed1"]["train"]["label_smoothing"] == 0.1
    assert mapping["environment"]["packages"]["jax"]
    assert "git_commit" in mapping["environment"]
    plan_of(tmp_path).write_down()
    assert file.read_bytes() == written


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": 0.2}, "optimizer.lr is 0.1 there, 0.2 here and more. Name another --output"),
        ({"seeds": (0, 1, 2)}, "runs.made_up/plain/seed2 is None there"),
    ],
)
def test_another_plan_is_refused(tmp_path, changes, message):
    plan_of(tmp_path).write_down()
    with pytest.raises(ValueError, match=message):
        plan_of(tmp_path, **changes).write_down()


def test_edited_code_is_another_plan(tmp_path, monkeypatch):
    plan_of(tmp_path).write_down()
    monkeypatch.setattr(code_digest, "digest", lambda: "other")
    with pytest.raises(ValueError, match="code is .* there, 'other' here"):
        plan_of(tmp_path).write_down()


def test_the_digest_detects_a_change_of_one_letter(tmp_path, monkeypatch):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("a = 1\n")
    monkeypatch.setattr(code_digest.vidjax, "__file__", str(package / "__init__.py"))
    before = code_digest.digest()
    (package / "__init__.py").write_text("a = 2\n")
    assert code_digest.digest() != before


def test_jhmdb_is_every_clip_once_with_the_last_fold_for_testing(shared, tmp_path):
    manifest = tmp_path / "jhmdb.csv"
    data_sets.locate("jhmdb", synthetic.get_config(), tmp_path)
    with manifest.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    listed = {row["path"] for row in rows}
    assert len(listed) == len(rows)
    assert listed == {
        str(file.relative_to(shared / "clips"))
        for file in (shared / "clips" / "jhmdb").rglob("*.mp4")
    }
    groups = {
        split: {row["group"] for row in rows if row["split"] == split}
        for split in ("train", "test")
    }
    assert not groups["train"] & groups["test"]
    with (shared / "clips" / "manifest.csv").open(newline="") as stream:
        folds = {clip["file"]: clip["fold"] for clip in csv.DictReader(stream)}
    assert Counter((row["split"], folds[row["path"]]) for row in rows).keys() == {
        ("train", "0"),
        ("train", "1"),
        ("train", "2"),
        ("test", "3"),
    }


@pytest.mark.parametrize(
    ("dataset", "folds", "videos"), [("jhmdb_folds", 4, 746), ("ut_interaction_folds", 5, 60)]
)
def test_each_seed_is_tested_on_a_fold_of_its_own(shared, tmp_path, dataset, folds, videos):
    tested = Counter[str]()
    config = synthetic.get_config()
    for config.seed in range(folds):
        found = data_sets.locate(dataset, config, tmp_path)
        with open(found["manifest"], newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert len(rows) == videos
        assert all((Path(found["root"]) / row["path"]).is_file() for row in rows)
        of_split = {
            split: [row for row in rows if row["split"] == split] for split in ("train", "test")
        }
        tested.update(row["path"] for row in of_split["test"])
        groups = [{row["group"] for row in each} for each in of_split.values()]
        assert not set.intersection(*groups)
        # Every class is learnt and tested.
        train, test = ({row["label"] for row in each} for each in of_split.values())
        assert train == test
    assert len(tested) == videos
    assert {*tested.values()} == {1}


def test_absent_videos_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDJAX_SHARED", str(tmp_path / "nowhere"))
    config = synthetic.get_config()
    with pytest.raises(
        data_sets.AbsentError, match="nowhere/clips/manifest.csv is absent; set VID"
    ):
        data_sets.locate("jhmdb", config, tmp_path)
    config.data.update({"name": "mini_kinetics200", "manual_dir": "videos/mini_kinetics200"})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        data_sets.AbsentError, match="mini_kinetics: videos/mini_kinetics200 is absent"
    ):
        data_sets.locate("mini_kinetics", config, tmp_path)


def test_changing_one_row_does_not_change_others():
    (found,) = find_tables(["rms.2"])
    setup = found.setups["small"]["jhmdb"]
    before = from_mapping(setup.config("baseline"))
    setup.config("rms")
    assert from_mapping(setup.config("baseline")) == before
    assert dataclasses.asdict(before)["model"]["options"].keys().isdisjoint({"random_scaling"})
