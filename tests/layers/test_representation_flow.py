"""Tests flow inside a network, against the same steps in NumPy and a known motion."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from vidjax.layers.representation_flow import STEPS, representation_flow
from vidjax.layers.temporal_conv import TemporalConv


def blobs(frames, size=24, step=1.0, seed=0):
    """Makes smooth spots that move to the right by some pixels per frame."""
    picture = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(size, size)), 3)
    moved = [ndimage.shift(picture, (0, step * own), order=3, mode="wrap") for own in range(frames)]
    return np.repeat(np.stack(moved)[None, ..., None], 3, -1).astype(np.float32)


def shifted(x, axis, by):
    """Returns neighbours along an axis, with zeros beyond the border."""
    out = np.zeros_like(x)
    ends = (slice(None, -1), slice(1, None))
    to, come_from = ends if by > 0 else ends[::-1]
    rows = (slice(None),) * axis
    out[(*rows, to)] = x[(*rows, come_from)]
    return out


def in_numpy(first, second):
    """Computes TV-L1 like the authors' code, for two frames."""
    gx, gy = ((shifted(second, axis, 1) - shifted(second, axis, -1)) / 2 for axis in (1, 0))
    steep = gx**2 + gy**2 + 1e-12
    u = [np.zeros_like(first), np.zeros_like(first)]
    p = [[np.zeros_like(first), np.zeros_like(first)] for _ in u]
    for _ in range(STEPS):
        rho = second - first + gx * u[0] + gy * u[1] + 1e-12
        limit = 0.15 * 0.3 * steep
        size = np.where(rho < -limit, 0.045, np.where(rho > limit, -0.045, -rho / steep))
        for k, slope in enumerate((gx, gy)):
            spread = 0
            for dual, axis in zip(p[k], (1, 0), strict=True):
                before = shifted(dual, axis, -1)
                spread = spread + shifted(before, axis, 1) - before
            u[k] = u[k] + size * slope + 0.3 * spread
        for k in range(2):
            ahead = [shifted(u[k], axis, 1) - u[k] for axis in (1, 0)]
            length = np.sqrt(ahead[0] ** 2 + ahead[1] ** 2 + 1e-12)
            pace = 0.25 / 0.3
            pairs = zip(p[k], ahead, strict=True)
            p[k] = [(dual + pace * own) / (1 + pace * length) for dual, own in pairs]
    return np.stack(u, -1)


def test_flow_equals_the_authors_steps():
    clip = blobs(3)
    grey = clip[0, ..., 0].astype(np.float64)
    grey = 255 * (grey - grey.min()) / (grey.max() - grey.min())
    flow = representation_flow(clip)
    for frame in range(2):
        expected = in_numpy(grey[frame], grey[frame + 1])
        np.testing.assert_allclose(flow[0, frame], expected, atol=2e-3)
    np.testing.assert_array_equal(flow[0, 2], flow[0, 1])


def test_flow_follows_the_motion():
    right = representation_flow(blobs(2))[0, 0, 4:-4, 4:-4]
    left = representation_flow(blobs(2, step=-1.0))[0, 0, 4:-4, 4:-4]
    assert 0.3 < right[..., 0].mean() < 1.2
    assert -1.2 < left[..., 0].mean() < -0.3
    assert abs(right[..., 1]).mean() < 0.3


@pytest.mark.parametrize("over", ["batch", "clip"])
def test_a_clip_s_flow_depends_on_others_only_over_the_batch(over):
    clip = blobs(2)
    alone = representation_flow(clip, over)
    beside = representation_flow(np.concatenate([clip, 9 * clip]), over)[:1]
    assert np.allclose(alone, beside, atol=1e-4) == (over == "clip")


def test_flow_can_be_differentiated():
    clip = jnp.asarray(blobs(2, size=10))
    weights = np.random.default_rng(3).normal(size=(1, 2, 10, 10, 2))

    def total(x):
        return jnp.sum(representation_flow(x) * weights)

    direction = np.random.default_rng(4).normal(size=clip.shape)
    slope = float(jnp.vdot(jax.grad(total)(clip), direction))
    # Small enough that the same case of the threshold applies everywhere.
    step = 1e-4
    ends = [float(total(clip + sign * step * direction)) for sign in (1, -1)]
    assert slope == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=0.02)


@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_a_dilated_kernel_skips_frames(dilation):
    x = np.random.default_rng(0).normal(size=(2, 7, 2, 3, 4)).astype(np.float32)
    module = TemporalConv(5, 3, dilation)
    variables = module.init(jax.random.key(0), x)
    kernel = np.asarray(variables["params"]["conv"]["kernel"])[:, 0, 0]
    expected = np.zeros((2, 7, 2, 3, 5))
    for frame in range(7):
        for tap in range(3):
            source = frame + (tap - 1) * dilation
            if 0 <= source < 7:
                expected[:, frame] += x[:, source] @ kernel[tap]
    np.testing.assert_allclose(module.apply(variables, x), expected, atol=1e-5)
