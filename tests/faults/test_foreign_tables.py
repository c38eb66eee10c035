"""Tests configurations, records and tables made by others: read, or refused in one line by name."""

import json
import os

import msgspec
import numpy as np
import pytest

from configs import demo
from tests.commands import refusal, run_command
from vidjax import records
from vidjax.data import annotations, tables
from vidjax.data.manifest import ManifestError
from vidjax.data.record_index import read_record_index, write_record_index
from vidjax.data.source_files import SourceFiles
from vidjax.evaluation.report import read_scores, write_report
from vidjax.run import workdir
from vidjax.run.checkpoint import read_best
from vidjax.run.config import from_mapping
from vidjax.run.network import Network
from vidjax.storage.ownership import owned


class Row(msgspec.Struct):
    video: records.Name
    frames: records.Count = 0
    share: records.Share = 0.0


@pytest.fixture
def run(tmp_path):
    place = tmp_path / "run"
    workdir.claim(place, from_mapping(demo.get_config("smoke=true")), ["a", "b"])
    return place


def with_setting(run, path, value):
    """Changes a value in the run's config.json."""
    config = json.loads((run / "config.json").read_text())
    here = config
    *groups, name = path.split("/")
    for group in groups:
        here = here[group]
    here[name] = value
    (run / "config.json").write_text(json.dumps(config))


SETTINGS = [
    ("model/options/a.b", 1, "model.options has 'a.b', which is not a name of an option"),
    ("model/options/__init__", 1, "model.options has '__init__', which is not a name of an option"),
    ("data/options/__class__", 1, "data.options has '__class__', which is not a name of an option"),
    ("model/options", None, "model.options = None: options by name are expected"),
    ("train/accumulate", 0, "train.accumulate = 0: must be a whole number in [1, "),
    ("clip/frames", 0, "clip.frames = 0: must be a whole number in [1, "),
    ("clip/stride", 0, "clip.stride = 0: must be a whole number in [1, "),
    ("model/std", [0, 0, 0], "model.std = (0.0, 0.0, 0.0): must be 3 values"),
    ("model/mean", [float("nan")] * 3, "config.json is damaged (NaN is not a number)"),
    ("seed", 10**30, "seed = 1000000000000000000000000000000: must be"),
    ("train/batch_norm", "9" * 5000, "train.batch_norm = '9999"),
    ("train/duration", "9" * 400 + " steps", "train.duration = '9999"),
    ("a\nb", 1, r"config.'a\nb' is not a setting"),
]


@pytest.mark.parametrize(("path", "value", "message"), SETTINGS)
def test_a_setting_of_a_foreign_run_is_refused_by_file_and_name(run, path, value, message):
    with_setting(run, path, value)
    with pytest.raises(ValueError, match="config.json") as error:
        workdir.read_config(run)
    text = str(error.value)
    assert message in text
    assert "\n" not in text
    assert len(text) < 1000


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("width", width) for width in ("8", -8, 0, 10**9, None, True, 2.5)),
        ("depths", [10**6] * 4),
        ("depths", [[1]] * 4),
        ("items", 1),
        ("keys", {"lock": 1}),
    ],
)
def test_an_option_of_a_foreign_network_is_refused_before_anything_is_made(run, option, value):
    with_setting(run, f"model/options/{option}", value)
    with pytest.raises(ValueError, match=option) as error:
        Network.of(from_mapping(workdir.read_config(run)), workdir.read_classes(run))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [("model/options/a.b", 1), ("model/options", None), ("data/options/__init__", 1)],
)
def test_commands_refuse_a_foreign_configuration_in_one_line(run, path, value):
    with_setting(run, path, value)
    done = run_command("experiments.predict", f"--workdir={run}", "--video=x.mp4")
    assert "config.json: config." in refusal(done)


@pytest.mark.parametrize(
    "setting", ["data.fps=30.0", "model.mean=(0.1,0.2,0.3)", "model.std=(0.1,0.2,0.3)"]
)
def test_a_setting_missing_from_a_run_can_be_given(run, tmp_path, setting):
    video = tmp_path / "x.mp4"
    video.write_text("no video")
    assert json.loads((run / "config.json").read_text())["data"]["fps"] is None
    arguments = f"--workdir={run}", f"--video={video}", f"--config.{setting}"
    done = run_command("experiments.predict", *arguments)
    # The settings were accepted: only the video is wrong.
    assert refusal(done).startswith(f"error: {video}: not a readable video")
    wrong = f"--config.{setting.partition('=')[0]}=walk"
    done = run_command("experiments.predict", *arguments[:2], wrong)
    assert setting.partition("=")[0] in refusal(done)


@pytest.mark.parametrize("content", [b"null", b"{}", b'"ab"', b"[1]", b'["a", null]'])
def test_invalid_class_lists_of_a_run_are_refused(run, content):
    (run / "classes.json").write_bytes(content)
    with pytest.raises(records.RecordError, match=r"classes\.json is damaged"):
        workdir.read_classes(run)


@pytest.mark.parametrize(
    "content",
    [
        *("[]", "{}", '{"step": -1, "score": 1}', '{"step": 1.5, "score": 1}', '{"step": 1}'),
        *('{"step": 1, "score": NaN}', '{"step": 1, "score": "1"}', '{"step": 1, "score": 1e999}'),
    ],
)
def test_an_invalid_best_step_is_refused(tmp_path, content):
    (tmp_path / "best.json").write_text(content)
    with pytest.raises(records.RecordError, match=r"best\.json is damaged .*: move it away"):
        read_best(tmp_path / "best.json")


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b'{"a": 1, "a": 2}', "it has the key 'a' twice"),
        (b'{"a": {"b": 1, "b": 1}}', "it has the key 'b' twice"),
        (b'{"a": NaN}', "NaN is not a number"),
        (b'{"a": -Infinity}', "-Infinity is not a number"),
        (b'{"a": 1e999}', "'1e999' is too large a number"),
        (b'{"a": ' + b"9" * 5000 + b"}", "it holds a number of thousands of digits"),
        (b'{"a": "\xff"}', "it is not UTF-8 text: byte 7 is 0xff"),
        (b"\xff\xfe{\0}\0", "it is not UTF-8 text: byte 0 is 0xff"),
        (b'{"a": ' + b"[" * 64 + b"]" * 64 + b"}", "it is nested more than 64 deep"),
        (b"[" * 100_000 + b"]" * 100_000, "it is nested more than 64 deep"),
        (b'{"a": 1} x', "Extra data"),
        (b" ", "it is empty"),
        (b"[]", "it must be an object, not a list"),
    ],
)
def test_invalid_json_is_refused_in_one_line(tmp_path, content, wrong):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(records.RecordError) as error:
        records.read_mapping(tmp_path / "x.json", "mend it")
    assert str(error.value).startswith(f"{tmp_path / 'x.json'} is damaged ({wrong}")
    assert str(error.value).endswith("): mend it")


def test_json_with_a_byte_order_mark_and_non_utf8_names_is_read(tmp_path):
    file = tmp_path / "x.json"
    file.write_bytes(b'\xef\xbb\xbf{"a": "\\udcff", "b": ' + b"[" * 63 + b"]" * 63 + b"}")
    assert records.read_mapping(file, "")["a"] == os.fsdecode(b"\xff")


READERS = {
    "a record": lambda file: records.read(file, dict, ""),
    "lines": lambda file: records.read_lines(file, ""),
    "a table": lambda file: list(tables.read(file, Row)),
    "annotations": lambda file: list(annotations.objects(file, ("id",))),
    "lines of annotations": lambda file: list(annotations.lines(file, r"(\d)", "1")),
}


@pytest.mark.parametrize("reader", READERS)
def test_pipes_devices_folders_and_huge_files_are_refused_at_once(tmp_path, reader):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with (tmp_path / "huge").open("wb") as stream:
        stream.truncate(records.MOST_OF_TABLE + 1)
    for name, wrong in (
        ("pipe", "is not a file"),
        ("/dev/zero", "is not a file"),
        ("folder", "is not a file"),
        ("huge", r"has 1,073,741,825 bytes; at most [0-9,]+ are allowed for such files"),
    ):
        with pytest.raises(ValueError, match=f"{name} {wrong}"):
            READERS[reader](tmp_path / name)


def test_an_endless_line_is_refused_and_an_incomplete_last_one_skipped(tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(b'{"step": 1}\n{"step": ')
    assert records.read_lines(file, "") == [{"step": 1}]
    file.write_bytes(b'{"step": 1}\n' + b" " * records.LONGEST_LINE)
    with pytest.raises(records.RecordError, match=r"line 2, is damaged \(it has more than"):
        records.read_lines(file, "")


def test_a_million_videos_with_long_names_fit_the_largest_table():
    assert records.MOST_OF_TABLE >= 1_000_000 * 1_000


@pytest.mark.parametrize(
    ("cells", "wrong"),
    [
        ("x,-1,", "line 2: frames = '-1': must be a whole number >= 0"),
        ("x,1.5,", "line 2: frames = '1.5': must be a whole number, not a text"),
        ("x,1" + "0" * 30 + ",", "line 2: frames = '1000"),
        ("x,1,nan", "line 2: share = 'nan': must be a number >= 0"),
        ("x,1,inf", "line 2: share = 'inf': must be a number <= 1"),
        ("x,1,1e999", "line 2: share = '1e999': Number out of range"),
        ("x,\u0663,", "line 2: frames = '\u0663': must be a whole number"),
        (",1,", "line 2: 'video' is empty"),
        ("x," + "9" * 200_000 + ",", "line 2: frames = '9999"),
    ],
)
def test_a_cell_of_another_type_or_out_of_range_is_named(tmp_path, cells, wrong):
    file = tmp_path / "table.csv"
    file.write_text(f"video,frames,share\n{cells}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="table") as error:
        list(tables.read(file, Row))
    assert wrong in str(error.value)
    assert len(str(error.value)) < 1000


def test_columns_with_a_default_are_optional_and_unknown_ones_ignored(tmp_path):
    file = tmp_path / "table.csv"
    file.write_text("colour,video,frames\nred, a b ,\nblue,c, 7 \n")
    assert [row for _, row in tables.read(file, Row)] == [Row("a b"), Row("c", 7)]
    file.write_text("frames\n1\n")
    with pytest.raises(ValueError, match=r"table\.csv lacks the column 'video'"):
        list(tables.read(file, Row))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[" * 100_000 + "\n", "lacks the column 'video'; found ['[["),
        ("video," + "x" * 100_000 + "\na,b,c\n", "line 2: more fields than video,xxx"),
        ("frames,video," + "x" * 100_000 + "\na\n", "line 2: fewer fields than frames,video,xxx"),
        ("video" + f",{'x' * 100_000}" * 2 + "\n", "has two columns 'xxx"),
        ("video,a\fb\n1,2,3\n", r"line 2: more fields than video,a\x0cb;"),
        ("video\n" + "," * 500_000 + "x\n", "line 2: more fields than video"),
    ],
)
def test_long_column_names_are_shortened_in_errors(tmp_path, text, wrong):
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(ValueError, match=r"table\.csv") as error:
        list(tables.read(tmp_path / "table.csv", Row))
    assert wrong in str(error.value)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 1000


def evaluated(run):
    scores, labels = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 1])
    names = {"videos": ["v", "w"], "classes": ["a", "b"]}
    return write_report(
        run / "eval", "test-1x1-step1", scores=scores, labels=labels, facts={}, **names
    )


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("correct", "right", "lacks the column 'correct'"),
        ("a,a,1", "a,a,2", "line 2: correct = '2'"),
        ("a,a,1", "a,a,", "line 2: 'correct' is empty"),
    ],
)
def test_damaged_predictions_are_refused_by_line_and_column(tmp_path, old, new, wrong):
    evaluated(tmp_path / "a")
    file = evaluated(tmp_path / "b")[1]
    file.write_text(file.read_text().replace(old, new, 1))
    done = run_command("experiments.compare", tmp_path / "a", tmp_path / "b")
    assert wrong in refusal(done)


@pytest.mark.parametrize("value", [-0.1, 1.1, "1", None, True])
def test_scores_must_be_in_0_to_1(tmp_path, value):
    file = evaluated(tmp_path)[0]
    assert read_scores(file).top1 == 1
    records.write(file, json.loads(file.read_text()) | {"top1": value})
    with pytest.raises(records.RecordError, match="top1 = .*: must be a number"):
        read_scores(file)


def test_tables_of_prepared_data_sets_keep_names_unchanged(tmp_path):
    name = " 'x,\udcff.mp4"
    write_record_index(tmp_path, [("train", " '=a", name)])
    assert read_record_index(tmp_path, "train", [" '=a"]) == [(name, 0)]
    (tmp_path / "videos.csv").write_text("split,label,video\ntrain,b\n")
    assert read_record_index(tmp_path, "train", ["b"]) == []


@pytest.mark.parametrize("content", ["[]", "{}", '{"root": 5}', "[" * 100_000, '{"root": NaN}'])
def test_a_damaged_record_of_source_files_is_ignored(tmp_path, content):
    sources = SourceFiles("/videos", {"a.mp4": (3, -5)}, "0")
    sources.write(tmp_path)
    assert SourceFiles.read(tmp_path) == sources
    (tmp_path / "source.json").write_text(content)
    assert SourceFiles.read(tmp_path) is None


@pytest.mark.parametrize("content", ["[" * 100_000, '{"host": 1}', '{"boot": NaN}', "\0"])
def test_a_damaged_record_of_an_owner_is_that_of_another_process(tmp_path, content):
    with owned(tmp_path):
        (tmp_path / ".lock-owner.json").write_text(content)
        with pytest.raises(ValueError, match="is in use by another process"), owned(tmp_path):
            pass


def test_a_line_that_would_match_for_hours_is_refused_at_once(tmp_path):
    file = tmp_path / "action_idx.txt"
    file.write_text("a" + " " * 1_000_000 + "b 1")
    with pytest.raises(ManifestError, match="line 1 has 1,000,004 characters; the limit is 4,096"):
        list(annotations.lines(file, r"(?P<name>.+?)\s+(?P<index>\d+)", "Inspect/Read recipe 1"))


@pytest.mark.parametrize("command", ["check_videos", "prepare"])
def test_a_million_workers_are_refused(command):
    done = run_command(f"experiments.{command}", "--workers=1000000")
    assert done.returncode != 0
    assert "4096" in done.stderr
    assert "Traceback" not in done.stderr
