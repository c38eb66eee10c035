import csv

import numpy as np
import pytest

from tests.commands import run_command
from vidjax.data.encode import write_mp4

FRAMES = np.random.default_rng(0).integers(0, 255, (12, 32, 32, 3), np.uint8)


@pytest.fixture
def folder(tmp_path):
    videos = tmp_path / "videos"
    (videos / "walk").mkdir(parents=True)
    for name in ("a", "b"):
        write_mp4(videos / "walk" / f"{name}.mp4", FRAMES, 10)
    (videos / "empty.mp4").touch()
    (videos / "notes.txt").write_text("no video")
    return videos


def check(given, output, *more):
    return run_command(
        "experiments.check_videos", given, f"--output={output}", "--workers=1", *more
    )


def rows(file):
    with file.open(newline="", encoding="utf-8") as stream:
        return {row["path"]: row for row in csv.DictReader(stream)}


def test_a_folder_is_judged_and_only_what_is_new_again(folder, tmp_path):
    output = tmp_path / "new" / "verdicts.csv"
    done = check(folder, output)
    assert done.returncode == 1, done.stderr
    found = rows(output)
    assert {name: row["verdict"] for name, row in found.items()} == {
        "empty.mp4": "empty", "walk/a.mp4": "ok", "walk/b.mp4": "ok",
    }  # fmt: skip
    assert found["walk/a.mp4"]["frames"] == "12"
    assert "empty.mp4: empty, no bytes" in done.stdout
    # One file is mended, one is broken, and the last line was being written at an interruption.
    write_mp4(folder / "empty.mp4", FRAMES[:5], 10)
    data = (folder / "walk" / "b.mp4").read_bytes()
    (folder / "walk" / "b.mp4").write_bytes(data[: len(data) // 2])
    lines = output.read_text().splitlines(keepends=True)
    output.write_text("".join(lines) + "walk/c.mp4,ok")
    again = check(folder, output)
    assert "checked 2/2" in again.stderr
    found = rows(output)
    assert found["empty.mp4"]["verdict"] == "ok"
    assert found["walk/b.mp4"]["verdict"] in ("truncated", "undecodable")
    assert found.keys() == {"empty.mp4", "walk/a.mp4", "walk/b.mp4"}


def test_a_manifest_names_the_files(folder, tmp_path):
    (folder / "some.csv").write_text(
        "path,label,split\nwalk/a.mp4,walk,train\ngone.mp4,walk,test\n"
    )
    done = check(folder / "some.csv", tmp_path / "verdicts.csv")
    found = rows(tmp_path / "verdicts.csv")
    assert {name: row["verdict"] for name, row in found.items()} == {
        "walk/a.mp4": "ok", "gone.mp4": "absent",
    }  # fmt: skip
    assert done.returncode == 1
    (folder / "some.csv").write_text("path,label,split\nwalk/a.mp4,walk,train\n")
    assert check(folder / "some.csv", tmp_path / "verdicts.csv").returncode == 0


def test_what_does_not_fit_is_said_in_one_line(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.csv").write_text("file,label\n")
    cases = {
        "none: no such folder or manifest": (tmp_path / "none", tmp_path / "v.csv"),
        "empty: no videos in it": (tmp_path / "empty", tmp_path / "v.csv"),
        "a column path is expected, not ['file', 'label']": (
            tmp_path / "other.csv",
            tmp_path / "v.csv",
        ),
        "other.csv is another kind of table: file, label": (folder, tmp_path / "other.csv"),
    }
    for message, (given, output) in cases.items():
        done = check(given, output)
        assert done.returncode == 2, message
        assert message in done.stderr
        assert done.stderr.count("\n") == 1
