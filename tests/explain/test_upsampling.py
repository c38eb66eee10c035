"""Tests the spline over a clip, at any time between its frames and any size."""

import numpy as np
import pytest
from scipy.interpolate import BSpline, make_interp_spline

from vidjax.explain.upsampling import Surface, degree_of, spline, upsample

RNG = np.random.default_rng(0)
SIZE = (9, 21, 33)


@pytest.mark.parametrize("degree", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("cells", [(3, 4, 5), (1, 7, 7), (9, 1, 2), SIZE])
def test_a_surface_at_the_clips_frames_equals_upsampling(cells, degree):
    volume = RNG.random(cells).astype(np.float32)
    axes = [np.linspace(0, old - 1, new) for old, new in zip(cells, SIZE, strict=True)]
    surface = Surface.over(volume, axes[1], axes[2], degree)
    found = np.stack([surface.at(moment) for moment in axes[0]])
    np.testing.assert_allclose(found, upsample(volume, SIZE, degree), atol=2e-6)


def test_lines_stay_lines_and_extend_with_their_end_values():
    shares = spline(6, [0, 0.25, 2.5, 4.75, 5, 7, -3], 1)
    assert np.allclose(shares @ np.arange(6), [0, 0.25, 2.5, 4.75, 5, 5, 0])
    assert np.allclose(spline(6, np.linspace(-1, 6, 50)).sum(1), 1, atol=1e-6)


def test_between_many_points_it_is_the_cubic_spline_of_another_library():
    """Away from the ends, where libraries extend splines in different ways."""
    values = RNG.random(40)
    other: BSpline = make_interp_spline(np.arange(40), values, 3)
    places = np.linspace(15, 25, 41)
    assert np.allclose(spline(40, places) @ values, other(places), atol=1e-4)


@pytest.mark.parametrize(("cells", "frames", "degree"), [(4, 16, 4), (2, 16, 5), (16, 16, 1)])
def test_the_papers_spline_degree_is_frames_over_cells(cells, frames, degree):
    assert degree_of(cells, frames) == degree
    volume = RNG.random((cells, 3, 3)).astype(np.float32)
    found = upsample(volume, (frames, 9, 9), None)
    assert np.array_equal(found, upsample(volume, (frames, 9, 9), degree))
