"""Frequency curves over seeds: grouping, intervals against SciPy, and the picture's numbers."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from configs import synthetic
from experiments.explain import seeds
from experiments.explain.frequency_over_seeds import Curves, draw, reliance_rows, render
from vidjax.explain.frequency import Point
from vidjax.run.config import from_mapping

SCALES = (0.0, 1.0, 2.0)
# Videos that are right when low, then when high frequencies are scaled; 50 at scale 1.
COUNTS = {
    "plain": {0: ((10, 30), (40, 45)), 1: ((15, 25), (30, 45)), 2: ((20, 20), (35, 35))},
    "rms": {0: ((45, 50), (10, 20)), 1: ((40, 45), (15, 20)), 2: ((50, 45), (10, 15))},
}


def points(name, pair):
    return [
        Point(name, part, scale, correct / 100, correct, 100)
        for part, (first, last) in zip(("low", "high"), pair, strict=True)
        for scale, correct in zip(SCALES, (first, 50, last), strict=True)
    ]


NETWORKS = [
    Curves(name, {seed: points(name, pair) for seed, pair in of_seed.items()})
    for name, of_seed in COUNTS.items()
]


def by_hand(name):
    return [np.mean(np.subtract(low, high)) / 50 for low, high in COUNTS[name].values()]


def test_the_report_has_the_mean_and_the_paired_test_over_seeds():
    text = render(NETWORKS, "as trained")
    plain, rms = by_hand("plain"), by_hand("rms")
    difference = np.subtract(rms, plain)
    low, high = stats.t.interval(0.95, 2, difference.mean(), stats.sem(difference))
    row = next(line for line in text.splitlines() if line.startswith("| rms"))
    assert f"{100 * np.mean(rms):+.1f} ± " in row
    assert f"{100 * difference.mean():+.1f} ± {100 * (high - low) / 2:.1f}" in row
    assert f" {stats.ttest_rel(rms, plain).pvalue:.2g} |" in row
    assert "| 3 | 50.0 ± 0.0 |" in row
    assert "the scales 0, 2." in text
    assert "difference from plain" in text


def test_seeds_are_paired_by_number():
    shuffled = Curves("rms", dict(reversed(NETWORKS[1].points.items())))
    assert render([NETWORKS[0], shuffled], "") == render(NETWORKS, "")
    fewer = Curves("rms", {seed: NETWORKS[1].points[seed] for seed in (1, 2)})
    difference = np.subtract(by_hand("rms"), by_hand("plain"))[1:]
    assert f"{100 * difference.mean():+.1f} ± " in render([NETWORKS[0], fewer], "")


def test_the_table_has_a_row_for_each_run():
    found = [(row.network, row.seed, row.top1, row.reliance) for row in reliance_rows(NETWORKS)]
    expected = [
        (name, seed, 0.5, pytest.approx(value))
        for name in COUNTS
        for seed, value in enumerate(by_hand(name))
    ]
    assert found == expected


def test_the_picture_shows_means_over_seeds_and_a_dot_for_each():
    curves, bars = draw(NETWORKS).axes
    lines = {line.get_label(): line for line in curves.lines}
    means = np.mean([2 * low[0] for low, _ in COUNTS["rms"].values()])
    assert lines["rms: low frequencies"].get_ydata() == pytest.approx(
        [means, 100, np.mean([100, 90, 90])]
    )
    dots = [line.get_xdata() for line in bars.lines if line.get_marker() == "."]
    assert [list(own) for own in dots] == [
        pytest.approx([100 * value for value in by_hand(name)]) for name in COUNTS
    ]
    assert [text.get_text() for text in bars.get_yticklabels()] == ["plain", "rms"]


def config(**changes):
    mapping = synthetic.get_config()
    for name, value in changes.items():
        mapping.update_from_flattened_dict({name.replace("__", "."): value})
    return from_mapping(mapping)


def test_runs_that_differ_in_their_seed_alone_are_one_network():
    members = {
        "runs/a/seed0": seeds.Member(config(seed=0)),
        "runs/b/seed0": seeds.Member(config(seed=0, train__batch_size=4)),
        "runs/a/seed1": seeds.Member(config(seed=1, data__data_dir="elsewhere")),
        "runs/b/seed1": seeds.Member(config(seed=1, train__batch_size=4)),
    }
    assert seeds.networks(members) == {
        "a": ["runs/a/seed0", "runs/a/seed1"],
        "b": ["runs/b/seed0", "runs/b/seed1"],
    }


def test_two_runs_with_one_seed_are_two_networks():
    members = {name: seeds.Member(config(seed=3)) for name in ("runs/one", "runs/two")}
    assert seeds.networks(members) == {"one": ["runs/one"], "two": ["runs/two"]}


def test_runs_on_other_videos_are_other_networks():
    one = seeds.Member(config(seed=0), (0, 1))
    two = dataclasses.replace(seeds.Member(config(seed=1)), also=(2, 3))
    assert len(seeds.networks({"x/a": one, "x/b": two})) == 2
