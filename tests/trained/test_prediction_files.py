"""Tests that tables of predictions are read back, and what an interruption leaves."""

import csv
import json

import pytest

from vidjax.trained.prediction_files import OF_VIDEOS, OF_WINDOWS, writing_rows

ABOUT = {"network": "r3d_18", "weights": "made.pth"}
TOP = [("walk", 0.75), ('say "hi", wave', 0.25)]
VIDEO = {"video": "=a.mp4", "start": 1.5, "end": None, "label": "walk", "correct": True, "error": None}  # fmt: skip  # noqa: E501
BROKEN = {"video": "b.mp4", "start": None, "end": None, "label": "", "correct": None, "error": "broken"}  # fmt: skip  # noqa: E501


def table(file):
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_table_has_a_row_per_video_and_a_column_per_class(tmp_path):
    file = tmp_path / "p.csv"
    with writing_rows(file, OF_VIDEOS, ABOUT, 3) as write:
        write(VIDEO, TOP)
        write(BROKEN, [])
        assert not file.exists()
    first, second = table(file)
    # An apostrophe precedes text that a spreadsheet would run.
    assert first == {
        "video": "'=a.mp4", "start": "1.500", "end": "", "label": "walk", "predicted": "walk",
        "probability": "0.750000", "class2": 'say "hi", wave', "probability2": "0.250000",
        "class3": "", "probability3": "", "correct": "1", "error": "",
    }  # fmt: skip
    assert (second["video"], second["predicted"], second["correct"], second["error"]) == ("b.mp4", "", "", "broken")  # fmt: skip  # noqa: E501
    assert [each.name for each in tmp_path.iterdir()] == ["p.csv"]


def test_json_contains_the_same_with_its_source(tmp_path):
    file = tmp_path / "p.json"
    with writing_rows(file, OF_VIDEOS, ABOUT, 3) as write:
        write(VIDEO, TOP)
        write(BROKEN, [])
    found = json.loads(file.read_text())
    assert found["finished"] is True
    assert {name: found[name] for name in ABOUT} == ABOUT
    classes = [{"class": name, "probability": chance} for name, chance in TOP]
    assert found["rows"] == [{**VIDEO, "top": classes}, {**BROKEN, "top": []}]


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_a_table_may_have_no_rows(tmp_path, suffix):
    file = tmp_path / f"p.{suffix}"
    with writing_rows(file, OF_WINDOWS, ABOUT, 400):
        pass
    if suffix == "json":
        assert json.loads(file.read_text())["rows"] == []
    else:
        assert file.read_text().startswith("start,end,predicted,probability,class2,")
        assert file.read_text().strip().endswith("class5,probability5")


def begin(file, rows, then):
    """Writes rows, then calls a function."""
    with writing_rows(file, OF_WINDOWS, ABOUT, 2) as write:
        for k in range(rows):
            write({"start": k, "end": k + 1}, TOP)
        then()


def interrupt():
    raise KeyboardInterrupt


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_an_interruption_leaves_a_valid_table_marked_unfinished(tmp_path, suffix):
    with pytest.raises(KeyboardInterrupt):
        begin(tmp_path / f"p.{suffix}", 2, interrupt)
    (left,) = tmp_path.iterdir()
    assert left.name == f"p.unfinished.{suffix}"
    if suffix == "json":
        found = json.loads(left.read_text())
        assert (len(found["rows"]), found["finished"]) == (2, False)
    else:
        assert len(table(left)) == 2
    # Neither it nor a table is overwritten.
    for there in (left, tmp_path / f"p.{suffix}"):
        there.touch()
        with (
            pytest.raises(FileExistsError, match=f"{there.name} exists already"),
            writing_rows(tmp_path / f"p.{suffix}", OF_WINDOWS, ABOUT, 2),
        ):
            pass
        there.unlink()


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_an_interruption_before_the_first_row_leaves_nothing(tmp_path, suffix):
    with pytest.raises(KeyboardInterrupt):
        begin(tmp_path / f"p.{suffix}", 0, interrupt)
    assert not list(tmp_path.iterdir())


def test_each_row_is_written_immediately(tmp_path):
    with writing_rows(tmp_path / "p.csv", OF_WINDOWS, ABOUT, 2) as write:
        for k in range(3):
            write({"start": k, "end": k + 1}, TOP)
            assert len(table(tmp_path / "p.unfinished.csv")) == k + 1


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path):
    file = tmp_path / "p.csv"
    with pytest.raises(FileExistsError, match=r"p\.csv exists already"):
        begin(file, 1, lambda: file.write_text("another's"))
    assert file.read_text() == "another's"
    assert len(table(tmp_path / "p.unfinished.csv")) == 1


def test_a_dangling_symlink_counts_as_existing(tmp_path):
    (tmp_path / "p.csv").symlink_to(tmp_path / "nowhere")
    with (
        pytest.raises(FileExistsError, match="exists already"),
        writing_rows(tmp_path / "p.csv", OF_WINDOWS, ABOUT, 2),
    ):
        pass
    assert not (tmp_path / "nowhere").exists()
