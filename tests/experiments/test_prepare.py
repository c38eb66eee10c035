"""Tests the command that prepares data sets."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.commands import ROOT, run_command
from tests.videos import numbered_frames, read_numbers, write_video
from vidjax.data.prepared import PreparedSplit

COMMAND = [sys.executable, "-m", "experiments.prepare"]


def call(*arguments):
    done = run_command("experiments.prepare", *arguments)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def ucf(tmp_path_factory):
    """Writes UCF-101 in its published layout with two classes, a missing and a broken file."""
    folder = tmp_path_factory.mktemp("ucf")
    lists = folder / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 Archery\n2 Basketball\n")
    train, test = [], []
    for label in ("Archery", "Basketball"):
        for group in (1, 2, 8, 9):
            name = f"{label}/v_{label}_g{group:02}_c01.avi"
            file = folder / "UCF-101" / name
            if (label, group) == ("Archery", 8):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(b"no video")
            elif (label, group) != ("Basketball", 9):
                write_video(file.with_suffix(".mp4"), numbered_frames(10 + group)).rename(file)
            (test if group < 8 else train).append(name)
    (lists / "trainlist01.txt").write_text("".join(f"{name} 1\n" for name in train))
    (lists / "testlist01.txt").write_text("".join(f"{name}\n" for name in test))
    return folder


def test_a_data_set_is_prepared_and_reported(ucf, tmp_path):
    arguments = ("--dataset=ucf101", f"--manual_dir={ucf}", f"--data_dir={tmp_path}")
    code, out, err = call(*arguments, "--bad_video_budget=0.5", "--short_side=48")
    assert code == 0, err
    folder = Path(out.splitlines()[-1])
    split = PreparedSplit(folder, "test")
    assert sorted(split[index].name for index in range(len(split)))[0].endswith("g01_c01.avi")
    record = split[0]
    assert read_numbers(record.decode(range(3))) == [0, 1, 2]
    with (folder / "report.csv").open() as file:
        rows = {(row["split"], row["label"]): row for row in csv.DictReader(file)}
    assert rows["train", "Archery"]["broken"] == "1"
    assert rows["train", "Basketball"]["missing"] == "1"
    assert rows["test", "Basketball"]["prepared"] == "2"
    with (folder / "excluded.csv").open() as file:
        lost = {row["video"]: row["error"] for row in csv.DictReader(file)}
    assert lost["Basketball/v_Basketball_g09_c01.avi"] == "missing"
    assert "not a readable video" in lost["UCF-101/Archery/v_Archery_g08_c01.avi"]
    again, out, _ = call(*arguments, "--bad_video_budget=0.5", "--short_side=48")
    assert (again, Path(out.splitlines()[-1])) == (0, folder)


def test_a_killed_preparation_resumes(tmp_path):
    videos = tmp_path / "videos"
    for number in range(24):
        write_video(videos / "one" / f"{number}.mp4", numbered_frames(40, 120, 160))
    arguments = [
        "--dataset=video_folder",
        f"--manifest={videos}",
        f"--data_dir={tmp_path / 'data'}",
    ]
    process = subprocess.Popen(
        [*COMMAND, *arguments, "--workers=1"], cwd=ROOT, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while len(list((tmp_path / "data").rglob("*.npz"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    decoded = {file: file.stat().st_mtime_ns for file in (tmp_path / "data").rglob("*.npz")}
    assert 5 <= len(decoded) < 24
    code, out, err = call(*arguments)
    assert code == 0, err
    folder = Path(out.splitlines()[-1])
    total = sum(len(PreparedSplit(folder, split)) for split in ("train", "test"))
    assert total == 24
    assert not list(folder.parent.glob("*incomplete*"))
    assert not list(folder.parent.rglob("*.npz"))


def test_describe_prints_the_description_of_a_data_set():
    code, out, _ = call("--dataset=ucf101", "--describe")
    assert code == 0
    for part in ("crcv.ucf.edu", "ucfTrainTestlist/classInd.txt", "split=1", "v_PommelHorse_g05"):
        assert part in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset=ucf10"], "data set 'ucf10' is unknown: did you mean 'ucf101'"),
        (["--dataset=ucf101"], "data.manual_dir is empty. Get ucf101 from https://www.crcv"),
        (
            ["--dataset=ucf101", "--manual_dir=nowhere"],
            "data.manual_dir = 'nowhere' is not a folder",
        ),
        (["--dataset=ucf101", "--option=split"], "--option=split: name=value is expected"),
    ],
)
def test_errors_are_printed_in_one_line(arguments, message):
    code, _, err = call(*arguments)
    assert code == 2
    assert err.startswith("error: ")
    assert message in err


def test_the_error_for_an_unknown_option_lists_the_known_ones(ucf):
    code, _, err = call("--dataset=ucf101", f"--manual_dir={ucf}", "--option=fold=1")
    assert (code, err) == (
        2,
        "error: data.options.fold is unknown to ucf101; its options: 'split'\n",
    )
