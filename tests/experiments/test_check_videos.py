import csv
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.commands import ROOT, refusal, run_command
from tests.videos import numbered_frames, write_video
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


def test_a_folder_is_checked_and_later_only_changed_files(folder, tmp_path):
    output = tmp_path / "new" / "verdicts.csv"
    done = check(folder, output)
    assert done.returncode == 1, done.stderr
    found = rows(output)
    assert {name: row["verdict"] for name, row in found.items()} == {
        "empty.mp4": "empty", "walk/a.mp4": "ok", "walk/b.mp4": "ok",
    }  # fmt: skip
    assert found["walk/a.mp4"]["frames"] == "12"
    assert "empty.mp4: empty, no bytes" in done.stdout
    # One file is repaired, one is damaged, and the last line is incomplete after an interruption.
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


def test_invalid_arguments_are_refused_in_one_line(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.csv").write_text("file,label\n")
    cases = {
        "none: no such folder or manifest": (tmp_path / "none", tmp_path / "v.csv"),
        "empty has no videos (files ending in ": (tmp_path / "empty", tmp_path / "v.csv"),
        "a column path is expected, not ['file', 'label']": (
            tmp_path / "other.csv",
            tmp_path / "v.csv",
        ),
        "other.csv is not a table of verdicts: file, label": (folder, tmp_path / "other.csv"),
    }
    for message, (given, output) in cases.items():
        assert message in refusal(check(given, output))


# Background jobs of a shell inherit that Ctrl-C is ignored.
HEARING = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.slow
def test_ctrl_c_is_one_line_and_the_root_of_a_manifest_can_be_named(tmp_path):
    videos = tmp_path / "videos"
    for number in range(40):
        write_video(videos / f"{number}.mp4", numbered_frames(120, 240, 320))
    manifest = tmp_path / "elsewhere" / "list.csv"
    manifest.parent.mkdir()
    manifest.write_text("path,label,split\n" + "".join(f"{k}.mp4,a,train\n" for k in range(40)))
    output = tmp_path / "verdicts.csv"
    command = [sys.executable, "-m", "experiments.check_videos", str(manifest)]
    command += [f"--root={videos}", f"--output={output}", "--workers=2"]
    process = subprocess.Popen(
        [sys.executable, "-c", HEARING, *command],
        cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (
        not output.is_file() or len(output.read_text().splitlines()) < 3
    ):
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert errors.splitlines()[-1] == "interrupted; run the same command again to continue"
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == ["40", "ok"]
