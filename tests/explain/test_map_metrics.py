"""Tests metrics of maps against direct computations."""

import numpy as np
import pytest
from scipy import stats

from vidjax.explain.baseline_maps import BASELINES, centre_map, movement_map, random_map
from vidjax.explain.map_metrics import area_under, blanking_steps, curves, energy, pointing

RNG = np.random.default_rng(0)
VOLUME = RNG.permutation(24).reshape(2, 3, 4).astype(np.float32)
SIZE = (6, 32, 32)


def test_a_map_points_to_its_maximum():
    place = np.unravel_index(VOLUME.argmax(), VOLUME.shape)
    mask = np.zeros(VOLUME.shape, bool)
    assert pointing(VOLUME, mask) == 0
    mask[place] = True
    assert pointing(VOLUME, mask) == 1


def test_a_map_points_to_all_equal_maxima():
    mask = VOLUME < 6
    assert pointing(np.zeros_like(VOLUME), mask) == 0.25
    assert pointing(np.minimum(VOLUME, 20), VOLUME == 23) == 0.25


def test_energy_is_the_share_of_the_sum():
    mask = VOLUME >= 20
    assert energy(VOLUME, mask) == pytest.approx((20 + 21 + 22 + 23) / VOLUME.sum())
    assert energy(np.zeros_like(VOLUME), mask) == pytest.approx(mask.mean())


def test_steps_go_from_nothing_to_everything_in_descending_order():
    steps = blanking_steps(VOLUME, 6)
    assert [int(step.sum()) for step in steps] == [0, 4, 8, 12, 16, 20, 24]
    for count, step in zip(range(0, 25, 4), steps, strict=True):
        assert np.array_equal(step, 24 - count <= VOLUME)


def test_equal_places_are_blanked_across_the_clip():
    steps = blanking_steps(np.zeros((10, 10, 10)), 2)
    assert [int(step.sum()) for step in steps] == [0, 500, 1000]
    # In array order it would be the first five frames.
    assert steps[1].sum((1, 2)).min() > 30


def additive(weights):
    """Scores clips by the sum of the weights of the visible locations."""
    return lambda blank: (~blank * weights).sum((1, 2, 3))


def test_curves_of_an_additive_score_are_sums():
    weights = RNG.random(VOLUME.shape)
    deletion, insertion = curves(VOLUME, 6, additive(weights))
    for step in range(7):
        taken = 24 - 4 * step <= VOLUME
        assert deletion[step] == pytest.approx(weights[~taken].sum())
        assert insertion[step] == pytest.approx(weights[taken].sum())
    assert area_under(deletion) == pytest.approx(
        (deletion[0] / 2 + deletion[1:-1].sum() + deletion[-1] / 2) / 6
    )


def test_start_and_end_are_scored_once_per_pair():
    asked = []

    def score(blank):
        asked.append(len(blank))
        return blank.mean((1, 2, 3))

    deletion, insertion = curves(VOLUME, 5, score)
    assert asked == [6 + 4]
    assert (deletion[0], deletion[-1], insertion[0], insertion[-1]) == (0, 1, 1, 0)


def test_weights_are_the_best_map_of_an_additive_score():
    weights = RNG.random((4, 5, 6))
    score = additive(weights)
    best = [area_under(curve) for curve in curves(weights, 8, score)]
    for seed in range(20):
        other = np.random.default_rng(seed).random(weights.shape)
        deletion, insertion = (area_under(curve) for curve in curves(other, 8, score))
        assert best[0] < deletion
        assert best[1] > insertion
    # A random map is in between: what it shows is worth as much as what it hides.
    assert deletion == pytest.approx(insertion, rel=0.2)


def test_a_random_map_is_smooth_and_independent_of_the_clip():
    clip, hits = np.zeros((*SIZE, 3), np.float32), 0
    mask = np.zeros(SIZE, bool)
    mask[:, :16] = True
    for seed in range(200):
        volume = random_map(clip, [(2, 4, 4)], np.random.default_rng(seed))
        assert (volume.min(), volume.max(), volume.shape) == (0, 1, SIZE)
        hits += pointing(volume, mask) == 1
    assert stats.binomtest(hits, 200).pvalue > 1e-4
    assert np.abs(np.diff(volume, axis=2)).mean() < 0.1


def test_the_centre_map_peaks_in_the_middle_of_every_frame():
    volume = centre_map(np.zeros((5, 9, 7, 3)), [], RNG)
    assert volume.shape == (5, 9, 7)
    assert np.argwhere(volume == volume.max()).tolist() == [[t, 4, 3] for t in range(5)]
    assert np.array_equal(volume, volume[:, ::-1, ::-1])


def test_the_motion_map_shows_changing_colours():
    clip = np.zeros((*SIZE, 3), np.float32)
    clip[:, 4:8, 4:8] = 1
    for frame in range(6):
        clip[frame, 20:24, 4 + 4 * frame : 8 + 4 * frame] = 1
    volume = movement_map(clip, [], RNG)
    assert volume[:, 18:26].sum() > 0.99 * volume.sum()
    assert volume.max() == 1
    assert not movement_map(clip[:1], [], RNG).any()


def test_every_baseline_has_the_clips_size_and_unit_range():
    clip = RNG.normal(size=(*SIZE, 3)).astype(np.float32)
    for name, baseline in BASELINES.items():
        volume = baseline.draw(clip, [(2, 4, 4), (6, 4, 4)], np.random.default_rng(0))
        assert volume.shape == SIZE, name
        assert volume.min() >= 0, name
        assert volume.max() == 1, name
