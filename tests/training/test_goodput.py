"""Tests the report of how a run spends its time, over all its starts."""

import contextlib
import json
import signal
import time

import numpy as np
import pytest
from PIL import Image

from tests.faults.tiny import command, ending, settings
from tests.training.test_resume import wait_for_step
from vidjax.training import goodput
from vidjax.training.goodput_log import GoodputLog
from vidjax.training.goodput_plot import draw_goodput
from vidjax.training.phase_timer import KINDS, PhaseTimer


def line(began, step, **seconds):
    return goodput.Spent(step, goodput.SPENT, began, **seconds)


KILLED = [
    line(1.0, 0, starting=10, compiling=20),
    line(1.0, 100, starting=10, compiling=20, steps=50, waiting=5),
    line(1.0, 150, starting=10, compiling=20, steps=75, waiting=8, evaluation=7),
    # It resumes after step 100 and is killed before the next checkpoint.
    line(2.0, 100, starting=4, compiling=1),
    line(2.0, 130, starting=4, compiling=1, steps=15, waiting=1),
    line(3.0, 100, starting=4, compiling=1),
    line(3.0, 200, starting=4, compiling=1, steps=50, waiting=5, checkpoints=2, evaluation=7),
]


def test_steps_done_by_a_later_start_too_count_as_repeated():
    first, second, third = goodput.starts(KILLED)
    assert (first.first, first.last, first.repeated) == (0, 150, 75 + 8 + 7 - 55)
    assert first.seconds["steps"] == 50
    assert second.repeated == 16
    assert second.seconds == dict.fromkeys(KINDS, 0.0) | {"starting": 4, "compiling": 1}
    assert third.repeated == 0


def test_shares_refer_to_the_total_time_of_all_starts():
    found = goodput.starts(KILLED)
    total = sum(sum(last.seconds().values()) for last in (KILLED[2], KILLED[4], KILLED[6]))
    shares = goodput.shares(found)
    assert goodput.total_seconds(found) == total
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["steps"] == pytest.approx(100 / total)
    assert shares["restarts"] == pytest.approx((10 + 4 + 4 + 35 + 16) / total)
    told = goodput.sentence(found)
    assert told.startswith(
        "took 3:30 (minutes:seconds), started 3 times: steps 47.6%, waiting for data 4.8%, "
        "compiling 10.5%"
    )
    assert told.endswith(" startup 8.6%, repeated work 24.3%")


def test_a_start_before_the_previous_one_repeats_the_work_of_both():
    lines = [line(1.0, 0), line(1.0, 50, steps=5), line(2.0, 50), line(2.0, 90, steps=4)]
    first, second, _ = goodput.starts([*lines, line(3.0, 0)])
    assert (first.repeated, second.repeated) == (5, 4)


def test_every_second_is_counted_once(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def work(seconds):
        now[0] += seconds

    timer = PhaseTimer(began=97.0)
    work(1)
    with timer.phase("compiling"):
        work(10)
        with timer.phase("evaluation"):
            work(5)
        work(1)
    timer.switch_to("steps")
    work(20)
    with contextlib.suppress(KeyError), timer.phase("waiting"):
        work(2)
        raise KeyError
    expected = {"starting": 4, "compiling": 11, "evaluation": 5, "steps": 20, "waiting": 2}
    assert timer.seconds() == dict.fromkeys(KINDS, 0) | expected


@pytest.fixture
def kept(tmp_path):
    """Returns the folder of a run with earlier starts, its messages, and its log."""
    file, said = tmp_path / goodput.TIMING, []
    rows = [
        {"step": each.step, "split": each.split, "began": each.began, **each.seconds()}
        for each in KILLED
    ]
    rows.insert(3, {"step": 100, "split": "train", "clips_per_second": 7.0})
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def write(step, split, numbers):
        with file.open("a") as stream:
            stream.write(json.dumps({"step": step, "split": split, **numbers}) + "\n")

    return (
        tmp_path,
        said,
        lambda: GoodputLog(PhaseTimer(), tmp_path, write, said.append, silent=False),
    )


def test_the_report_includes_earlier_starts(kept):
    workdir, said, opened = kept
    log = opened()
    log.log(200)
    log.close(240)
    assert said[0].startswith("took 3:30 (minutes:seconds), started 4 times: steps 47.6%")
    # The same report is made from the file.
    assert goodput.sentence(goodput.starts(goodput.read_spent(workdir))) == said[0]
    before = (workdir / "goodput.png").read_bytes()
    (workdir / "goodput.png").unlink()
    assert draw_goodput(workdir).read_bytes() == before


def test_a_damaged_line_loses_earlier_starts_but_not_the_run(kept):
    workdir, said, opened = kept
    with (workdir / goodput.TIMING).open("a") as stream:
        stream.write('{"step": 7, "split\n')
    log = opened()
    log.log(200)
    log.close(240)
    assert "is reported for this start only" in said[0]
    assert "line 9" in said[0]
    assert ", started once: " in said[1]
    # The only start that is known repeats nothing.
    assert "repeated work" not in said[1]


def test_times_of_an_hour_and_more_have_another_unit():
    found = goodput.starts([line(1.0, 0), line(1.0, 50, steps=3723)])
    assert goodput.headline(found).startswith("took 1:02:")
    assert goodput.headline(found).endswith(" (hours:minutes:seconds), started once")


def test_a_run_without_lines_has_no_plot(tmp_path):
    assert draw_goodput(tmp_path) is None


def test_bars_of_the_plot_are_proportional_to_shares(tmp_path):
    (tmp_path / goodput.TIMING).write_text(
        '{"step": 0, "split": "spent", "began": 1, "starting": 25}\n'
        '{"step": 9, "split": "spent", "began": 1, "starting": 25, "steps": 75}\n'
    )
    with Image.open(draw_goodput(tmp_path)) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    green = np.abs(pixels - [0x2A, 0x9D, 0x5C]).sum(axis=-1) < 10
    grey = np.abs(pixels - 191).sum(axis=-1) < 10
    # The rows of bars are the widest coloured areas; the legend's are narrower.
    both = (green.sum(axis=1) > 150) & (grey.sum(axis=1) > 50)
    share = green[both].sum() / (green[both].sum() + grey[both].sum())
    assert share == pytest.approx(0.75, abs=0.02)


def test_a_run_reports_its_goodput(tmp_path):
    workdir, began = tmp_path / "run", time.monotonic()
    changes = {"train__duration": "6 steps", "every__evaluate": "6 steps"}
    # As if the imports had taken long.
    before = "from vidjax import startup; startup.BEGAN -= 100"
    done = command("train", *settings(workdir, **changes), fault=before)
    code, errors, _ = ending(done)
    took = time.monotonic() - began
    assert code == 0, errors
    found = goodput.starts(goodput.read_spent(workdir))
    assert errors.strip().splitlines()[-1] == goodput.sentence(found)
    total, shares = goodput.total_seconds(found), goodput.shares(found)
    # The process also takes time before the count starts and after the report.
    assert 100 < total < 100 + took
    assert shares["restarts"] * total > 100
    assert min(shares[name] for name in ("compiling", "steps", "evaluation", "checkpoints")) > 0
    lines = [json.loads(each) for each in (workdir / "timing.jsonl").read_text().splitlines()]
    assert [each for each in lines if each["split"] == "goodput"][-1] == {
        "step": 6,
        "split": "goodput",
        **shares,
    }
    assert "goodput" not in (workdir / "metrics.jsonl").read_text()
    assert (workdir / "goodput.png").is_file()


@pytest.mark.slow
def test_work_after_the_last_checkpoint_of_a_killed_run_is_repeated(tmp_path):
    workdir = tmp_path / "run"
    changes = dict.fromkeys(("every__checkpoint", "every__evaluate"), "100 steps")
    run = ["train", *settings(workdir, train__duration="300 steps", **changes)]
    # Lines at every log step; so short a run would otherwise have none between checkpoints.
    process = command(*run, fault="from vidjax.training import goodput_log; goodput_log._EVERY = 0")
    wait_for_step(workdir, 180, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    code, errors, _ = ending(command(*run))
    assert code == 0, errors
    first, second = goodput.starts(goodput.read_spent(workdir))
    assert (first.first, second.first, second.last) == (0, 100, 300)
    assert first.last > 100
    assert 0 < first.repeated < sum(first.seconds.values())
    assert second.repeated == 0
    assert "repeated work 0.0%" not in errors
