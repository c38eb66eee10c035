"""Tests our own experiments: their settings, their images, and smoke runs of the largest ones."""

import csv
import io
import json
import tarfile
from collections import Counter

import pytest

from experiments.reproduce import code_digest, data_sets, evidence_scale, run, worker
from experiments.reproduce.plan import Plan
from experiments.reproduce.table import find_tables
from tests.commands import refusal, run_command
from vidjax.evaluation.cost import count_cost
from vidjax.evaluation.frame_choices import count_frame_choices
from vidjax.models.registry import create_model
from vidjax.run.config import from_mapping

TABLES = [table for table in find_tables(["all"]) if table.name.startswith("evidence.")]
names = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


@names
def test_rows_differ_only_in_their_method(table):
    for setups in table.setups.values():
        for setup in setups.values():
            configs = {row.name: from_mapping(setup.config(row.name)) for row in table.rows}
            # Rows that are configured alike begin from different networks.
            different = {(str(configs[row.name]), row.begins) for row in table.rows}
            assert len(different) == len(configs)
            for config in configs.values():
                same = configs[table.reference]
                for group in ("data", "clip", "augment", "eval", "optimizer", "schedule"):
                    assert getattr(config, group) == getattr(same, group)


@names
def test_all_rows_of_a_data_set_are_tested_on_enough_videos(table):
    for name, setup in table.setups["small"].items():
        if name.startswith("marionette"):
            data = from_mapping(setup.config(table.reference)).data
            assert data.options["test_per_class"] * 16 >= 2000
            assert data.options["val_per_class"]


def test_the_dose_is_the_number_of_training_videos():
    (table,) = find_tables(["evidence.rms-dose"])
    configs = {
        name: from_mapping(setup.config("rms")) for name, setup in table.setups["small"].items()
    }
    doses = {name: config.data.train_per_class for name, config in configs.items()}
    assert doses == {"marionette_8": 8, "marionette_20": 20, "marionette_48": 48}
    # All rows see the same number of clips.
    assert len({config.train.duration for config in configs.values()}) == 1


def test_gates_warm_up_for_half_of_the_training():
    (table,) = find_tables(["evidence.srtg"])
    config = from_mapping(table.setups["small"]["marionette"].config("final_warmup"))
    epochs = int(config.train.duration.split()[0])
    videos = 16 * config.data.options["train_per_class"]
    steps = epochs * videos // config.train.batch_size
    assert config.model.options["gate_warmup_steps"] == steps // 2


def network_of(table, row):
    """Creates the network of a row at the scale `small`; returns it with its clip."""
    (table,) = find_tables([table])
    config = from_mapping(table.setups["small"]["marionette"].config(row))
    network = create_model(config.model.name, num_classes=16, **config.model.options)
    return network, (config.clip.frames, config.clip.size, config.clip.size)


@pytest.mark.parametrize(
    ("table", "wide", "pairs"),
    [
        ("evidence.mtconv", "r3d", {"narrow": "mtconv"}),
        (
            "evidence.mtnet",
            "one",
            {"one_narrow": "selected_7_8", "one_narrowest": "selected_1_2"},
        ),
    ],
)
def test_narrow_networks_cost_as_much_as_multi_temporal_convolutions(table, wide, pairs):
    costs = {
        row: count_cost(*network_of(table, row)).macs for row in (wide, *pairs, *pairs.values())
    }
    for narrow, row in pairs.items():
        assert costs[narrow] == pytest.approx(costs[row], rel=0.05)
        assert costs[wide] > 1.05 * costs[narrow]


@pytest.mark.parametrize("share", ["7_8", "1_2"])
def test_ways_to_halve_the_frames_cost_the_same(share):
    costs = {
        count_cost(*network_of("evidence.mtnet", f"{frames}_{share}")).macs
        for frames in ("selected", "strided", "pooled")
    }
    assert len(costs) == 1


def test_every_selection_of_networks_that_choose_frames_has_a_choice():
    choices = count_frame_choices(*network_of("evidence.mtnet", "selected_7_8"))
    assert choices.choosing == choices.total > 0


def test_a_row_starts_from_the_network_of_its_base_with_the_same_seed(tmp_path):
    (table,) = find_tables(["evidence.cr"])
    plan = Plan.of(table, "small", ["marionette"], tmp_path, tmp_path / "data")
    workdirs = {(each.row, each.seed): str(each.workdir) for each in plan.runs}
    for each in plan.runs:
        expected = "" if each.row == "base" else workdirs["base", each.seed]
        assert each.config.model.weights == expected
        assert bool(each.begins) == bool(expected)


def picture(archive, name):
    content = name.encode()
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def test_a_fifth_of_the_training_images_is_for_validation(tmp_path):
    listed = [
        f"small/{split}/{label}/{number:05}.png"
        for split, count in (("train", 10), ("test", 3))
        for label in ("cat", "dog")
        for number in range(count)
    ]
    with tarfile.open(tmp_path / "small.tar", "w") as archive:
        for name in reversed(listed):
            picture(archive, name)
    manifest = tmp_path / "unpacked" / "manifest.csv"
    data_sets.write_pictures(tmp_path / "small.tar", manifest)
    with manifest.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    counts = Counter((row["label"], row["split"]) for row in rows)
    for label in ("cat", "dog"):
        assert [counts[label, split] for split in ("train", "val", "test")] == [8, 2, 3]
    contents = {(manifest.parent / row["path"]).read_text() for row in rows}
    assert contents == {*listed}
    assert len({row["group"] for row in rows}) == len(rows)


def test_missing_images_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDJAX_SHARED", str(tmp_path / "nowhere"))
    (table,) = find_tables(["evidence.rms-cifar"])
    config = table.setups["small"]["cifar100_small"].config("rms")
    with pytest.raises(data_sets.AbsentError, match="cifar100_small.tar is absent; set VIDJAX_SHA"):
        data_sets.locate("cifar100_small", config, tmp_path)


def smoke_run(table, setups, root, row):
    """Trains the first run of a row at the scale `smoke`; returns it with its plan."""
    small = type(table)(table.name, "", "", table.rows, table.reference, {"smoke": setups})
    plan = Plan.of(small, "smoke", [*setups], root, root / "data")
    return next(each for each in plan.runs if each.row == row)


@pytest.mark.slow
@pytest.mark.parametrize("table", [t for t in TABLES if "gpu" in t.setups], ids=lambda t: t.name)
def test_the_scale_gpu_is_tried_on_the_cpu(table, tmp_path):
    setups = evidence_scale.smoke_of(table.setups["gpu"])
    each = smoke_run(table, setups, tmp_path, table.primary.row)
    # Only sizes are smaller; dtypes and settings are those of the scale `gpu`.
    assert each.config.dtype == "bfloat16"
    worker.carry_out(run.make_order(each, code_digest.digest()))
    record = worker.read_record(each.record)
    assert record["state"] == "finished", record


@pytest.mark.slow
def test_class_regularization_is_trained_alone_on_a_trained_network(tmp_path):
    (table,) = find_tables(["evidence.cr"])
    setups = table.setups["smoke"]
    for row in ("base", "random"):
        each = smoke_run(table, setups, tmp_path, row)
        worker.carry_out(run.make_order(each, code_digest.digest()))
        record = worker.read_record(each.record)
        assert record["state"] == "finished", record


@pytest.mark.slow
def test_a_table_is_tuned_and_then_trained_within_its_hours(tmp_path):
    given = ["--table=evidence.rms-cifar", "--scale=smoke", f"--output={tmp_path}"]
    given += [f"--data_dir={tmp_path / 'data'}", "--workers=2"]
    tuned = run_command("experiments.reproduce", *given, "--tune")
    assert tuned.returncode == 0, tuned.stderr[-2000:]
    folder = tmp_path / "evidence.rms-cifar-smoke"
    assert len((folder / "tuning.csv").read_text().splitlines()) == 1 + 4 * 2
    assert not (folder / "table.md").exists()
    trained = run_command("experiments.reproduce", *given, "--hours=2")
    assert trained.returncode == 0, trained.stderr[-2000:]
    assert "--hours=2 leaves out nothing" in trained.stderr + trained.stdout
    text = (folder / "table.md").read_text()
    assert text.count("| 1 of 1 |") == 4
    assert "Each row was tuned on the validation videos alone" in text
    tuned_to = json.loads((folder / "plan.json").read_text())["tuned"]["marionette"]
    assert {*tuned_to} == {"baseline", "rms", "rms_1x1", "rms_whole"}


def test_hours_have_no_effect_on_tuning(tmp_path):
    given = ("--table=evidence.rms", "--tune", "--hours=2")
    done = run_command("experiments.reproduce", *given, cwd=tmp_path)
    assert "--hours has no effect with --tune" in refusal(done)
