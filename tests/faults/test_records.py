"""Tests truncated or overwritten small files of runs and tools: one clear line each."""

import json

import jax
import msgspec
import numpy as np
import orbax.checkpoint as ocp
import pytest

import vidjax
from configs import demo
from tests.commands import refusal, run_command
from vidjax import records
from vidjax.convert import converted_folder
from vidjax.run import workdir as workdirs
from vidjax.run.config import from_mapping
from vidjax.trained.exporting import load
from vidjax.training.metric_writer import MetricWriter


class Named(msgspec.Struct):
    name: records.Name


# Truncated, empty, of another type, binary, endless brackets, and zeros as a crashed disk leaves.
DAMAGED = [b"", b"{", b"null", b"[]", b'"text"', b"5", b"\xff\xfe\x00", b"[" * 100_000, b"\0" * 64]


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.fixture
def run(tmp_path):
    workdirs.claim(tmp_path / "run", from_mapping(demo.get_config()), ["a", "b"])
    return tmp_path / "run"


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_record_is_named_with_the_fix(tmp_path, content):
    file = tmp_path / "record.json"
    file.write_bytes(content)
    with pytest.raises(records.RecordError) as error:
        records.read_mapping(file, "make it anew", Named)
    text = one_line(error)
    assert text.startswith(f"{file} is damaged (")
    assert text.endswith("): make it anew")


def test_missing_keys_of_a_record_are_named(tmp_path):
    for value, wrong in (
        ({}, "'name' is absent"),
        ({"name": 5}, "name = 5: must be a text, not a whole number"),
    ):
        records.write(tmp_path / "record.json", value)
        with pytest.raises(records.RecordError, match=wrong):
            records.read_mapping(tmp_path / "record.json", "", Named)


def test_a_record_is_replaced_atomically(tmp_path):
    records.write(tmp_path / "record.json", {"name": "old"})
    with pytest.raises(TypeError):
        records.write(tmp_path / "record.json", {"name": object()})
    assert json.loads((tmp_path / "record.json").read_text()) == {"name": "old"}


def test_a_start_killed_before_it_claimed_the_directory_leaves_it_free(tmp_path):
    for name in (".lock", ".lock-owner.json", "config.json.0123456789abcdef.part"):
        (tmp_path / name).write_text("{")
    workdirs.claim(tmp_path, from_mapping(demo.get_config()), ["a", "b"])
    assert workdirs.read_classes(tmp_path) == ("a", "b")


@pytest.mark.parametrize("name", ["config.json", "classes.json"])
@pytest.mark.parametrize("content", [each for each in DAMAGED if each != b"[]"])
def test_a_damaged_record_of_a_run_is_named(run, name, content):
    (run / name).write_bytes(content)
    read = {"config.json": workdirs.read_config, "classes.json": workdirs.read_classes}[name]
    with pytest.raises(records.RecordError, match=f"{name} is damaged .*: put a copy back"):
        read(run)


def test_a_damaged_environment_record_is_named_and_kept(run):
    (run / "environment.json").write_bytes(b'{"python": "3.1')
    with pytest.raises(records.RecordError, match=r"environment\.json is damaged .*: move it away"):
        workdirs.claim(run, from_mapping(demo.get_config()), ["a", "b"])
    (run / "environment.json").rename(run / "moved.json")
    workdirs.claim(run, from_mapping(demo.get_config()), ["a", "b"])


def test_commands_report_a_damaged_configuration_in_one_line(run):
    (run / "config.json").write_bytes((run / "config.json").read_bytes()[:100])
    for command in (("evaluate",), ("predict", "--video=x.mp4"), ("export", "--output=x")):
        done = run_command(f"experiments.{command[0]}", f"--workdir={run}", *command[1:])
        assert "config.json is damaged" in refusal(done)


@pytest.mark.parametrize(
    "line", ["5", "null", "[]", "{}", '{"step": "x"}', '{"step": 3, "sp', "\0"]
)
def test_a_damaged_line_of_metrics_is_named_by_number(tmp_path, line):
    file = tmp_path / "metrics.jsonl"
    file.write_text(f'{{"step": 1, "split": "train"}}\n{line}\n{{"step": 2, "split": "train"}}\n')
    before = file.read_bytes()
    with pytest.raises(
        records.RecordError, match=r"metrics\.jsonl, line 2, is damaged .*remove it"
    ):
        MetricWriter(tmp_path, step=2)
    assert file.read_bytes() == before


def test_an_incomplete_last_line_is_set_aside(tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"step": 1, "split": "train"}\n{"step": 2, "spl')
    MetricWriter(tmp_path, step=1).close()
    assert file.read_text() == '{"step": 1, "split": "train"}\n'
    assert (tmp_path / "metrics-interrupted.jsonl").read_text() == '{"step": 2, "spl'


FACTS = {
    "name": "r3d_18",
    "options": {},
    "num_classes": 3,
    "preprocessing": {
        "mean": [0.5] * 3,
        "std": [0.2] * 3,
        "clip": [16, 112, 112],
        "frame_stride": 2,
    },
    "source": "here",
}


def without(name):
    facts = json.loads(json.dumps(FACTS))
    facts.pop(name, None)
    facts.get("preprocessing", {}).pop(name, None)
    return json.dumps(facts).encode()


@pytest.mark.parametrize("content", [*DAMAGED, *map(without, [*FACTS, *FACTS["preprocessing"]])])
def test_damaged_facts_of_converted_weights_are_named(tmp_path, content):
    (tmp_path / "model.json").write_bytes(json.dumps(FACTS).encode())
    assert converted_folder.read(tmp_path).num_classes == 3
    (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.json is damaged .*: convert the weights again"):
        converted_folder.read(tmp_path)


@pytest.mark.parametrize("name", ["params", "batch_stats"])
def test_weights_with_a_missing_file_are_named(tmp_path, name):
    options = {"width": 4, "depths": [1, 0, 0, 0]}
    records.write(tmp_path / "model.json", FACTS | {"options": options})
    network = vidjax.create_model("r3d_18", num_classes=3, **options)
    clip = np.zeros((1, 2, 32, 32, 3), np.float32)
    parts = dict(network.init(jax.random.key(0), clip, train=False))
    del parts[name]
    with ocp.PyTreeCheckpointer() as checkpointer:
        checkpointer.save(tmp_path.absolute() / "variables", parts)
    with pytest.raises(ValueError, match=f"lacks the array '{name}\\."):
        converted_folder.read(tmp_path).variables()


CARD = {
    "format": "stablehlo",
    "input": {"shape": ["batch", 2, 8, 8, 3]},
    "output": {"shape": ["batch", 3]},
    "files": {"network.stablehlo": {"bytes": 3, "sha256": "0" * 64}},
}


@pytest.mark.parametrize(
    "content",
    [
        *DAMAGED,
        *(json.dumps({k: v for k, v in CARD.items() if k != name}).encode() for name in CARD),
        json.dumps(CARD | {"files": {}}).encode(),
        json.dumps(CARD | {"files": {"README.txt": {"sha256": ""}}}).encode(),
        json.dumps(CARD | {"files": {"network.stablehlo": {}}}).encode(),
        json.dumps(CARD | {"format": "other"}).encode(),
        json.dumps(CARD | {"input": {"name": "clips"}}).encode(),
    ],
)
def test_a_damaged_card_of_an_export_is_named(tmp_path, content):
    (tmp_path / "card.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"card\.json is damaged \(.*\); copy it again"):
        load.load(tmp_path)


def test_a_missing_card_and_a_network_that_differs_from_it_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"card\.json is absent; copy the whole folder again"):
        load.load(tmp_path)
    (tmp_path / "card.json").write_text(json.dumps(CARD))
    (tmp_path / "network.stablehlo").write_bytes(b"123")
    with pytest.raises(ValueError, match=r"network\.stablehlo is damaged"):
        load.load(tmp_path)
