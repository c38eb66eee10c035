import csv

import numpy as np
import pytest
from PIL import Image

from experiments.class_gains import Gain, draw_gains
from tests.commands import refusal, run_command
from vidjax.evaluation.report import write_report

CLASSES = ["jump", "run", "walk"]


def call(*arguments):
    return run_command("experiments.compare", *arguments)


def evaluated(run, wrong, name="test-1x1-step20", videos=30):
    """Writes a run whose evaluation has the videos `wrong` wrong and the others right."""
    labels = np.arange(videos) % 3
    predicted = np.where(np.isin(np.arange(videos), wrong), (labels + 1) % 3, labels)
    scores = np.eye(3)[predicted] * 0.8 + 0.1
    names = [f"video{number:02}" for number in range(videos)]
    write_report(
        run / "eval", name, videos=names, scores=scores, labels=labels, classes=CLASSES, facts={}
    )
    return run


def test_two_runs_are_compared_video_by_video(tmp_path):
    a = evaluated(tmp_path / "a", wrong=[0, 1, 2])
    b = evaluated(tmp_path / "b", wrong=[2, *range(10, 22)])
    # An older evaluation of the same protocol is ignored.
    evaluated(tmp_path / "b", wrong=[], name="test-1x1-step9")
    done = call(a, b)
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines()]
    assert ["A right", "15", "12", "27"] in rows
    assert ["A wrong", "2", "1", "3"] in rows
    # Twice the probability of at most 2 heads in 14 tosses.
    assert (
        "B is 33.3 points lower; by chance alone, such a difference has p = "
        f"{2 * (1 + 14 + 91) / 2**14:.3g} (McNemar's test, binomial)"
    ) in done.stdout
    assert "They differ on 14 videos: " in done.stdout
    file = b / "eval/test-1x1-step20-against-a.csv"
    differing = list(csv.DictReader(file.read_text().splitlines()))
    assert [row["video"] for row in differing][:3] == ["video00", "video01", "video10"]
    assert (differing[0]["right"], differing[2]["right"]) == ("B", "A")
    assert (differing[0]["label"], differing[0]["predicted by A"]) == ("jump", "run")


def test_many_differing_videos_are_tested_with_edwards_correction(tmp_path):
    a = evaluated(tmp_path / "a", wrong=range(30), videos=60)
    b = evaluated(tmp_path / "b", wrong=[30, 31], videos=60)
    done = call(a, b)
    assert done.returncode == 0, done.stderr
    # (|2 - 30| - 1)^2 / 32
    found = "McNemar's test, chi-squared 22.781 with Edwards' correction"
    assert "B is 46.7 points higher; by chance alone, " in done.stdout
    assert found in done.stdout


def test_runs_with_the_same_videos_right_get_no_files(tmp_path):
    a = evaluated(tmp_path / "a", wrong=[0, 1])
    b = evaluated(tmp_path / "b", wrong=[0, 1])
    done = call(a, b)
    assert done.returncode == 0, done.stderr
    assert "B has as many videos right as A; by chance alone, " in done.stdout
    assert done.stdout.endswith("They have the same videos right, so no files are written.\n")
    assert not [*b.glob("eval/*-against-*")]


def test_gains_of_classes_are_counted_and_drawn(tmp_path):
    a = evaluated(tmp_path / "a", wrong=[0, 1, 2])
    b = evaluated(tmp_path / "b", wrong=[2, 4, 7, 10])
    done = call(a, b)
    assert done.returncode == 0, done.stderr
    files = b / "eval/test-1x1-step20-against-a-classes"
    rows = [*csv.reader(files.with_suffix(".csv").read_text().splitlines())]
    assert rows[0] == ["class", "videos", "right in A", "right in B", "gain"]
    # Each class has ten videos. Wrong are: of jump one in A only, of walk one in both, of run one
    # in A and three in B.
    assert rows[1:] == [
        ["jump", "10", "9", "10", "0.1"],
        ["walk", "10", "9", "9", "0.0"],
        ["run", "10", "9", "7", "-0.2"],
    ]
    assert size_of(files.with_suffix(".png"))[0] > 400


def test_the_picture_of_gains_names_both_runs(tmp_path, monkeypatch):
    titles = []
    monkeypatch.setattr(
        "matplotlib.figure.Figure.savefig",
        lambda figure, *_, **__: titles.append(figure.axes[0].get_title(loc="left")),
    )
    gains = [Gain("jump", 10, 9, 10), Gain("walk", 10, 9, 7)]
    draw_gains(tmp_path / "gains.png", gains, ("runs/plain", "i3d:kinetics400"))
    assert titles == ["gains of classes, all 2\nA: runs/plain\nB: i3d:kinetics400"]


def size_of(file):
    with Image.open(file) as picture:
        return picture.size


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (
            lambda b: evaluated(b, [], videos=29),
            "have different videos or labels: 1 differ, for example 'video29'",
        ),
        (lambda b: b.mkdir(), "has no evaluation"),
        (lambda b: evaluated(b, [], name="test-10x3-step20"), "share no protocols"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(tmp_path, prepare, message):
    evaluated(tmp_path / "a", wrong=[])
    prepare(tmp_path / "b")
    assert message in refusal(call(tmp_path / "a", tmp_path / "b"))


def test_an_existing_list_is_not_overwritten(tmp_path):
    evaluated(tmp_path / "a", wrong=[])
    evaluated(tmp_path / "b", wrong=[1])
    kept = tmp_path / "kept.csv"
    kept.write_text("mine")
    done = call(tmp_path / "a", tmp_path / "b", f"--output={kept}")
    assert done.returncode == 2
    assert "kept.csv exists already; name another" in done.stderr
    assert kept.read_text() == "mine"


def test_a_missing_run_is_asked_for(tmp_path):
    done = call(tmp_path)
    assert done.returncode == 2
    assert "RUN_B is missing" in done.stderr
