import numpy as np
import pytest
from scipy import stats

from vidjax.explain.truth import (
    Truth,
    energy_inside,
    mean_interval,
    points_inside,
    random_map,
    steps_of,
)
from vidjax.explain.truth_report import draw_truth, rows_of

RNG = np.random.default_rng(0)
VOLUME = RNG.permutation(24).reshape(2, 3, 4).astype(np.float32)


def test_a_map_points_where_it_is_largest():
    place = np.unravel_index(VOLUME.argmax(), VOLUME.shape)
    mask = np.zeros(VOLUME.shape, bool)
    assert not points_inside(VOLUME, mask)
    mask[place] = True
    assert points_inside(VOLUME, mask)


def test_energy_is_the_share_of_the_sum():
    mask = VOLUME >= 20
    assert energy_inside(VOLUME, mask) == pytest.approx((20 + 21 + 22 + 23) / VOLUME.sum())
    assert energy_inside(np.zeros_like(VOLUME), mask) == 0


def test_steps_go_from_nothing_to_everything_the_largest_first():
    steps = steps_of(VOLUME, 6)
    assert [int(step.sum()) for step in steps] == [0, 4, 8, 12, 16, 20, 24]
    for count, step in zip(range(0, 25, 4), steps, strict=True):
        assert np.array_equal(step, 24 - count <= VOLUME)
    # Of equal values so many are taken all the same.
    assert [int(step.sum()) for step in steps_of(np.zeros((2, 2, 2)), 4)] == [0, 2, 4, 6, 8]


def test_a_random_map_is_smooth_and_knows_nothing():
    size, hits = (6, 32, 32), 0
    mask = np.zeros(size, bool)
    mask[:, :16] = True
    for seed in range(200):
        volume = random_map(np.random.default_rng(seed), size, (2, 4, 4))
        assert (volume.min(), volume.max(), volume.shape) == (0, 1, size)
        hits += points_inside(volume, mask)
    assert stats.binomtest(hits, 200).pvalue > 1e-4
    steps = np.abs(np.diff(volume, axis=2)).mean()
    assert steps < 0.1


def test_intervals_are_those_of_student():
    values = RNG.normal(size=9)
    low, high = stats.t.interval(0.95, 8, values.mean(), stats.sem(values))
    mean, half = mean_interval(values)
    assert (mean - half, mean + half) == pytest.approx((low, high))


def test_rows_and_picture_have_each_run_map_and_weights():
    measured = {
        (run, weights, kind): [Truth(1.0, 0.25, 0.1, 0.2, 0.8), Truth(0.0, 0.75, 0.1, 0.4, 0.6)]
        for run in ("runs/a", "runs/b")
        for weights in ("trained", "random")
        for kind in ("tube", "CAM")
    }
    rows = rows_of(measured)
    assert len(rows) == 8 * 5
    found = {(row.run, row.weights, row.map, row.quantity): row.mean for row in rows}
    assert found["runs/a", "trained", "CAM", "pointing"] == 0.5
    assert found["runs/b", "random", "tube", "insertion"] == pytest.approx(0.7)
    figure = draw_truth(rows)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[0] == "a tube, trained weights"
    assert len(labels) == 8
    assert len(figure.axes) == 4
