"""Tests predictions of many videos, segments and windows from the command line."""

import csv
import json
import re

import cv2
import numpy as np
import pytest

from tests.commands import refusal, run_command
from tests.faults.tiny import command, ending
from tests.trained.made import FLAGS, NAME, write_checkpoint
from tests.videos import numbered_frames, write_video
from vidjax.evaluation.score_files import read_score_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Writes four files in a folder, one of which is not a video, and weights."""
    root = tmp_path_factory.mktemp("predict")
    for name, shade in (("a/1.mp4", 0.3), ("a/2.mp4", 1.0), ("b/3.mp4", 0.6)):
        write_video(root / "videos" / name, (numbered_frames(30, 32, 48) * shade).astype("uint8"))
    (root / "videos/b/broken.mp4").write_bytes(b"text")
    (root / "names.txt").write_text("sit\nwalk\nwave\n")
    write_checkpoint(root / "made.safetensors")
    return root


def predict(folder, *arguments, names=True):
    small = ("--config.clip.frames=4", "--config.eval.size=16")
    given = [f"--weights={NAME}:{folder / 'made.safetensors'}", *FLAGS, *small]
    given += [f"--class_names={folder / 'names.txt'}"] if names else []
    return run_command("experiments.predict", *given, *arguments)


def rows_of(file):
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_folder_gives_a_row_per_video(folder, tmp_path):
    output = tmp_path / "predictions.csv"
    done = predict(folder, f"--video={folder / 'videos'}", f"--output={output}")
    assert done.returncode == 0, done.stderr
    rows = rows_of(output)
    assert [row["video"] for row in rows] == ["a/1.mp4", "a/2.mp4", "b/3.mp4", "b/broken.mp4"]
    for row in rows[:3]:
        chances = [float(row[name]) for name in ("probability", "probability2", "probability3")]
        assert sum(chances) == pytest.approx(1, abs=1e-5)
        assert sorted(chances, reverse=True) == chances
        assert {row["predicted"], row["class2"], row["class3"]} == {"sit", "walk", "wave"}
        assert row["error"] == row["correct"] == ""
    assert rows[3]["predicted"] == ""
    assert "not a readable video" in rows[3]["error"]
    assert f"skipped {folder / 'videos/b/broken.mp4'}: not a readable video" in done.stderr
    assert "predicting videos 4/4" in done.stderr
    assert all(row["video"] in done.stdout for row in rows[:3])
    # A single video has the same prediction.
    alone = predict(folder, f"--video={folder / 'videos/a/2.mp4'}").stdout.splitlines()
    assert alone[0] == f"{float(rows[1]['probability']):7.2%}  {rows[1]['predicted']}"


def test_a_csv_may_have_segments_and_labels_that_are_scored(folder, tmp_path):
    lines = (
        "path,start,end,label\na/1.mp4,0.2,0.8,sit\nb/3.mp4,,,walk\na/2.mp4,,,fly\ngone.mp4,,,\n"
    )
    (tmp_path / "list.csv").write_text(lines)
    output = tmp_path / "predictions.json"
    done = predict(
        folder,
        f"--video={tmp_path / 'list.csv'}",
        f"--root={folder / 'videos'}",
        f"--output={output}",
        f"--scores={tmp_path / 'scores.npz'}",
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(output.read_text())
    assert (found["network"], found["finished"]) == (NAME, True)
    first, second, third, gone = found["rows"]
    assert (first["video"], first["start"], first["end"]) == ("a/1.mp4", 0.2, 0.8)
    for row in (first, second):
        assert row["correct"] is (row["top"][0]["class"] == row["label"])
    # Videos of a class that the network does not have are not counted.
    assert third["correct"] is None
    assert "the network has no class 'fly'" in done.stderr
    right = first["correct"] + second["correct"]
    assert f"{right} of 2 are right ({right / 2:.1%})" in done.stdout
    assert "no such file" in gone["error"]
    # All scores of readable videos; segments have different names.
    with np.load(tmp_path / "scores.npz", allow_pickle=False) as stored:
        assert stored["names"].tolist() == ["a/1.mp4@0.2-0.8", "b/3.mp4", "a/2.mp4"]
        assert stored["labels"].tolist() == ["sit", "walk", "fly"]
        assert stored["scores"].shape == (3, 3)
        for row, scores in zip((first, second, third), stored["scores"], strict=True):
            best = {stored["classes"][k]: round(float(scores[k]), 6) for k in range(3)}
            assert {each["class"]: each["probability"] for each in row["top"]} == best
        about = json.loads(str(stored["about"]))
    assert (about["network"], about["views"]["frames"]) == (NAME, 4)


def test_the_exit_code_is_2_if_no_video_can_be_read(folder, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"text")
    done = predict(folder, f"--video={tmp_path}")
    assert done.returncode == 2
    assert f"skipped {tmp_path / 'a.mp4'}: " in done.stderr


@pytest.mark.slow
def test_a_segment_of_a_video(folder, tmp_path):
    video = f"--video={folder / 'videos/a/2.mp4'}"
    done = predict(folder, video, "--start=0.2", "--end=0.7", f"--output={tmp_path / 'one.csv'}")
    assert done.returncode == 0, done.stderr
    (row,) = rows_of(tmp_path / "one.csv")
    assert (row["start"], row["end"]) == ("0.200", "0.700")
    assert done.stdout.startswith(f"{float(row['probability']):7.2%}  {row['predicted']}")


def test_windows_are_written_as_tables_and_a_figure(folder, tmp_path):
    given = (
        f"--video={folder / 'videos/a/2.mp4'}",
        "--window_stride=0.12",
        f"--output={tmp_path / 'out'}",
    )
    done = predict(folder, *given, f"--scores={tmp_path / 'scores.npz'}", names=False)
    assert done.returncode == 0, done.stderr
    rows = rows_of(tmp_path / "out/windows.csv")
    starts = [float(row["start"]) for row in rows]
    # Four frames at 25 per second; the last window ends with the video.
    assert starts == [*(round(0.12 * k, 2) for k in range(9)), 1.04]
    assert {row["predicted"] for row in rows} <= {"class 0", "class 1", "class 2"}
    found = json.loads((tmp_path / "out/windows.json").read_text())
    assert found["window_stride"] == 0.12
    best = [(each["top"][0]["class"], each["top"][0]["probability"]) for each in found["rows"]]
    assert best == [(row["predicted"], float(row["probability"])) for row in rows]
    found = read_score_table(tmp_path / "scores.npz")
    assert [name.rpartition("@")[2] for name in found.names] == [
        f"{row['start']}-{row['end']}" for row in rows
    ]
    assert found.classes[found.scores.argmax(axis=1)].tolist() == [row["predicted"] for row in rows]
    assert cv2.imread(str(tmp_path / "out/timeline.png")).std() > 5
    assert "predicting 0:01 of 0:01" in done.stderr
    # Nothing is overwritten.
    before = (tmp_path / "out/windows.csv").read_bytes()
    assert "windows.csv exists already" in refusal(predict(folder, *given))
    assert (tmp_path / "out/windows.csv").read_bytes() == before


@pytest.mark.slow
def test_windows_without_a_folder_are_printed_line_by_line(folder):
    done = predict(folder, f"--video={folder / 'videos/a/2.mp4'}", "--windows", "--start=0.4")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line[:15] for line in lines[:2]] == ["0:00.4 - 0:00.6", "0:00.6 - 0:00.7"]
    assert len(lines) == 5


@pytest.mark.slow
def test_windows_before_a_decoding_error_are_kept_with_a_warning(folder, shared, tmp_path):
    video = shared / "clips/hard/corrupt_middle.mp4"
    done = predict(folder, f"--video={video}", "--windows", f"--output={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert len(rows_of(tmp_path / "windows.csv")) == 7
    assert "broken after 29 frames" in done.stderr
    assert "only the 7 windows before that are predicted" in done.stderr


@pytest.mark.slow
def test_no_folder_is_created_for_an_unreadable_video(folder, tmp_path):
    video = f"--video={folder / 'videos/b/broken.mp4'}"
    error = refusal(predict(folder, video, "--windows", f"--output={tmp_path / 'out'}"))
    assert "not a readable video" in error
    assert not (tmp_path / "out").exists()


ONE = "--video=videos/a/2.mp4"
REFUSED = {
    "leave out --windows": (ONE, "--explain", "--windows"),
    "the middle of one whole video": ("--video=videos", "--explain"),
    "are for one video, and --video=videos is many": ("--video=videos", "--window_stride=1"),
    "for several, use columns of a CSV": ("--video=videos", "--start=1"),
    "--root is for a CSV": ("--video=videos", "--root=."),
    "--end=1 is not after --start=2": (ONE, "--start=2", "--end=1"),
    "a table is a .csv or .json file": (ONE, "--output=out.txt"),
    "names.csv exists already": (ONE, "--output=names.csv"),
    "windows are written to a folder": (ONE, "--windows", "--output=names.txt"),
    "shorter than a frame": (ONE, "--window_stride=0.01"),
    "the file of scores must end in .npz": (ONE, "--scores=out.csv"),
    "gone.mp4: no such file": ("--video=gone.mp4",),
}


@pytest.mark.parametrize("message", REFUSED)
def test_conflicting_arguments_are_refused_in_one_line(folder, message):
    (folder / "names.csv").touch()
    placed = [re.sub("(--video|--output)=", rf"\1={folder}/", each) for each in REFUSED[message]]
    error = refusal(predict(folder, *placed)).replace(f"{folder}/", "")
    assert message in error


@pytest.mark.slow
def test_the_number_of_class_names_must_match(folder, tmp_path):
    (tmp_path / "two.txt").write_text("sit\nwalk\n")
    video = f"--video={folder / 'videos/a/2.mp4'}"
    error = refusal(predict(folder, video, f"--class_names={tmp_path / 'two.txt'}", names=False))
    assert "two.txt names 2 classes; " in error


FAULT = """
import signal
from experiments import prediction_output
whole = prediction_output.predict_videos
def interrupting(*given, **more):
    for count, found in enumerate(whole(*given, **more), start=1):
        yield found
        if count == 2:
            signal.raise_signal(signal.SIGINT)
prediction_output.predict_videos = interrupting
"""


@pytest.mark.slow
def test_ctrl_c_keeps_the_finished_rows(folder, tmp_path):
    """Sends the signal in the middle of the work."""
    weights = f"--weights={NAME}:{folder / 'made.safetensors'}"
    small = (*FLAGS, "--config.clip.frames=4", "--config.eval.size=16", "--config.data.threads=1")
    given = (f"--video={folder / 'videos'}", f"--output={tmp_path / 'p.csv'}")
    code, errors, _ = ending(command("predict", weights, *small, *given, fault=FAULT))
    assert code == 130, errors
    (left,) = tmp_path.iterdir()
    assert left.name == "p.unfinished.csv"
    assert errors.splitlines()[-1] == f"interrupted; finished rows are in {left}"
    rows = rows_of(left)
    assert [row["video"] for row in rows] == ["a/1.mp4", "a/2.mp4"]
    assert np.isfinite([float(row["probability"]) for row in rows]).all()
