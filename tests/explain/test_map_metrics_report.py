"""Tests summaries of map metrics: means with intervals, tables and plots."""

import numpy as np
import pytest
from scipy import stats

from vidjax.explain.map_measurements import Measured
from vidjax.explain.map_metrics_curves import draw_curves
from vidjax.explain.map_metrics_report import draw_metrics, metric_table
from vidjax.explain.map_metrics_tables import Interval, Summary
from vidjax.explain.map_selection import choose
from vidjax.explain.sanity_plot import draw_sanity
from vidjax.explain.sanity_table import SanityRow

RNG = np.random.default_rng(0)
RUNS, VIDEOS, MAPS = ("a", "b"), ("x", "y", "z"), ("cam", "random")


def measured(run, video, kind, **mask):
    deletion, insertion = RNG.random((2, 3)).tolist()
    seconds = {"x": 9.0, "y": 1.0, "z": 2.0}[video]
    return Measured(run, video, kind, "2x2x2 cells", deletion, insertion, 3, seconds, **mask)


def summary(masks=True):
    found = {}
    for run in RUNS:
        for video in VIDEOS:
            for kind in MAPS:
                inside = dict(zip(("pointing", "energy", "area"), RNG.random(3), strict=True))
                given = {name: float(value) for name, value in inside.items()}
                found[run, video, kind] = measured(run, video, kind, **(given if masks else {}))
    return Summary({"net": RUNS}, {"net": VIDEOS}, MAPS, found), found


def test_intervals_follow_students_t_distribution():
    values = RNG.normal(size=(3, 9))
    own = Interval.of(values)
    for half, means in ((own.half, values.mean(0)), (own.seeds_half, values.mean(1))):
        low, high = stats.t.interval(0.95, len(means) - 1, means.mean(), stats.sem(means))
        assert (own.mean - half, own.mean + half) == pytest.approx((low, high))
    assert np.isnan(Interval.of(values[:1]).seeds_half)


def test_rows_are_means_over_videos_and_seeds():
    own, found = summary()
    rows = {(row.map, row.quantity): row for row in own.metrics()}
    assert len(rows) == 2 * 5
    values = np.array([[found[run, video, "cam"].energy for video in VIDEOS] for run in RUNS])
    chance = np.array([[found[run, video, "random"].energy for video in VIDEOS] for run in RUNS])
    row = rows["cam", "energy"]
    assert row.mean == pytest.approx(values.mean(), abs=1e-6)
    assert row.gain == pytest.approx((values - chance).mean(), abs=1e-6)
    assert row.gain_half == pytest.approx(Interval.of(values - chance).half, abs=1e-6)
    assert (row.videos, row.seeds) == (3, 2)
    assert rows["random", "energy"].gain == 0
    # The trapezoidal rule over three points: the ends count half.
    curves = np.array([[found[run, video, "cam"].deletion for video in VIDEOS] for run in RUNS])
    expected = (curves[..., 0] / 2 + curves[..., 1] + curves[..., 2] / 2) / 2
    assert rows["cam", "deletion"].mean == pytest.approx(expected.mean(), abs=1e-6)


def test_pairs_are_compared_per_video():
    own, found = summary()
    rows = {row.quantity: row for row in own.pairs()}
    assert {(row.map, row.other) for row in rows.values()} == {MAPS}
    assert set(rows) == {"pointing", "energy", "deletion", "insertion"}
    each = [[[found[run, v, kind].energy for v in VIDEOS] for run in RUNS] for kind in MAPS]
    differences = np.subtract(*np.array(each)).mean(0)
    low, high = stats.t.interval(0.95, 2, differences.mean(), stats.sem(differences))
    row = rows["energy"]
    found = (row.difference - row.half, row.difference + row.half)
    assert found == pytest.approx((low, high), abs=1e-5)


def test_pointing_and_energy_need_masks():
    own, _ = summary(masks=False)
    rows, costs = list(own.metrics()), list(own.costs())
    assert {row.quantity for row in rows} == {"deletion", "insertion"}
    assert "pointing" not in metric_table(rows, costs, {})
    assert len(draw_metrics(rows, {}).axes) == 2


def test_unsupported_maps_have_no_rows():
    _, found = summary()
    own = Summary({"net": RUNS}, {"net": VIDEOS}, (*MAPS, "stages"), found)
    assert {row.map for row in own.metrics()} == set(MAPS)


def test_costs_exclude_compilation():
    own, _ = summary()
    for row in own.costs():
        assert (row.passes, row.seconds, row.cells) == (3, 2.0, "2x2x2 cells")


def test_curves_have_one_point_per_step():
    own, found = summary()
    rows = [row for row in own.curves() if (row.map, row.quantity) == ("cam", "insertion")]
    assert [row.share for row in rows] == [0, 0.5, 1]
    every = [found[run, video, "cam"].insertion for run in RUNS for video in VIDEOS]
    assert [row.mean for row in rows] == pytest.approx(np.mean(every, 0).tolist(), abs=1e-6)


def test_the_table_has_a_row_per_map_and_both_intervals():
    own, _ = summary()
    rows, costs = list(own.metrics()), list(own.costs())
    lines = metric_table(rows, costs, {"cam": "CAM"}).splitlines()
    assert lines[0].startswith("net: 3 videos, 2 trained")
    (line,) = (line for line in lines if line.startswith("| CAM |"))
    row = next(row for row in rows if (row.map, row.quantity) == ("cam", "pointing"))
    expected = " ± ".join(f"{100 * part:.1f}" for part in (row.mean, row.half, row.seeds_half))
    assert line.split(" | ")[1] == expected
    assert line.endswith("| 3 | 2 | 2x2x2 cells |")


def test_plots_contain_each_map():
    own, _ = summary()
    titles = {"cam": "CAM", "random": "random map"}
    figure = draw_metrics(list(own.metrics()), titles)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["CAM", "random map"]
    assert len(figure.axes) == 4
    figure = draw_curves(list(own.curves()), titles)
    for axes in figure.axes:
        assert {text.get_text() for text in axes.get_legend().get_texts()} == set(titles.values())
        assert all(len(line.get_xdata()) == 3 for line in axes.lines)


def test_only_randomised_parts_are_joined_by_lines():
    others = [("parameters", "head"), ("parameters", "stem"), ("labels", "shuffled labels")]
    rows = [
        SanityRow("net", "cam", place, check, other, 0.5 - place / 10, 0.1, 0.4, 0.1, 3, 2)
        for place, (check, other) in enumerate(others)
    ]
    axes = draw_sanity(rows, {"cam": "CAM"}).axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == [name for _, name in others]
    drawn = [line for line in axes.lines if line.get_marker() == "."]
    assert [list(line.get_xdata()) for line in drawn] == [[0, 1], [2]]
    assert [list(line.get_ydata()) for line in drawn] == [[0.5, 0.4], [0.3]]


def test_maps_can_be_chosen_with_settings():
    chosen = {own.text: own for own in choose(["cam", "rise:masks=30:over=time"])}
    assert list(chosen) == ["cam", "rise:masks=30:over=time", "random", "centre", "movement"]
    rise = chosen["rise:masks=30:over=time"]
    assert rise.settings == {"masks": 30, "over": "time"}
    assert rise.title == "RISE, masks = 30, over = time"
    every = [own.text for own in choose([])]
    assert every == [own.text for own in choose(["all"])]
    assert every.index("saliency_tube:tau=0.5") == every.index("saliency_tube") + 1
    assert every[-3:] == ["random", "centre", "movement"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cma", "map 'cma' is unknown: did you mean 'cam'"),
        ("cam:tau=0.5", "cam has no setting 'tau'"),
        ("saliency_tube:tau=2", "saliency_tube tau = 2: must be"),
        ("rise:masks", "write settings as rise:SETTING=VALUE"),
        ("random:seed=1", "the map random has no settings"),
    ],
)
def test_invalid_choices_of_maps_are_refused_in_one_line(text, words):
    with pytest.raises(ValueError, match=words):
        choose([text])
