"""Tests the augmentation chain: its draws, each member's formula, and host against device."""

import colorsys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, stats

from vidjax.data.thesis_augmentation import hue, warp
from vidjax.data.thesis_augmentation.device import apply_on_device
from vidjax.data.thesis_augmentation.host import apply_on_host
from vidjax.data.thesis_augmentation.parameters import Chain, Draw, Recipe, nothing

SIZE = 23
on_device = jax.jit(apply_on_device)
INSET = np.array([[0.02, 0.05], [0.1, 0.01], [0.0, 0.08], [0.04, 0.03]])
# A recipe for each member alone.
MEMBERS = {
    "gaussian": Recipe(gaussian=0.3),
    "average": Recipe(average=2),
    "add": Recipe(add=(-15, 4, 15)),
    "multiply": Recipe(multiply=1.2),
    "gamma": Recipe(gamma=0.85),
    "hue": Recipe(hue=16 / 255, saturation=-0.05),
    "contrast": Recipe(contrast=1.115),
    "rotation": Recipe(degrees=-7.0),
    "perspective": Recipe(inset=INSET),
}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def applied(recipe, frames):
    return apply_on_host(frames, recipe.draw(frames.shape[1]))


def together(draws):
    return Draw(*map(np.stack, zip(*draws, strict=True)))


@pytest.fixture(scope="module")
def recipes():
    rng = np.random.default_rng(5)
    return [Chain(0.8, 0.3).recipe(rng) for _ in range(6000)]


def as_often_as(count, trials, chance):
    low, high = stats.binom.ppf([1e-5, 1 - 1e-5], trials, chance)
    return low <= count <= high


def test_the_chain_and_each_member_have_their_probabilities(recipes):
    drawn = [recipe for recipe in recipes if recipe is not None]
    assert as_often_as(len(drawn), len(recipes), 0.8)
    found = {
        "gaussian": sum(r.gaussian > 0 for r in drawn),
        "add": sum(any(r.add) for r in drawn),
        "multiply": sum(r.multiply != 1 for r in drawn),
        "gamma": sum(r.gamma != 1 for r in drawn),
        "hue": sum(r.hue != 0 and r.saturation != 0 for r in drawn),
        "contrast": sum(r.contrast != 1 for r in drawn),
        "shape": sum(r.degrees != 0 or r.inset is not None for r in drawn),
    }
    for name, count in found.items():
        assert as_often_as(count, len(drawn), 0.3), name
    # Half of the average blurs cover one pixel, and a geometric change is one of two kinds.
    assert as_often_as(sum(r.average == 2 for r in drawn), len(drawn), 0.15)
    assert as_often_as(sum(r.inset is not None for r in drawn), found["shape"], 0.5)
    assert not any(r.degrees and r.inset is not None for r in drawn)


def test_members_are_independent(recipes):
    """The probability that none of the eight is drawn is 0.7 to the eighth power."""
    plain = sum(
        recipe[:9] == Recipe()[:9] and recipe.inset is None
        for recipe in recipes
        if recipe is not None
    )
    # An average blur of one pixel changes nothing either.
    assert as_often_as(plain, sum(r is not None for r in recipes), 0.7**7 * 0.85)


@pytest.mark.parametrize(
    ("read", "low", "high"),
    [
        (lambda r: [r.gaussian] * (r.gaussian > 0), 0.1, 0.3),
        (lambda r: r.add if any(r.add) else (), -15, 15),
        (lambda r: [r.multiply] * (r.multiply != 1), 0.8, 1.2),
        (lambda r: [r.gamma] * (r.gamma != 1), 0.85, 1.15),
        (lambda r: [r.hue] * (r.hue != 0), -16 / 255, 16 / 255),
        (lambda r: [r.saturation] * (r.saturation != 0), -16 / 255, 16 / 255),
        (lambda r: [r.contrast] * (r.contrast != 1), 0.85, 1.115),
        (lambda r: [r.degrees] * (r.degrees != 0), -10, 10),
    ],
)
def test_values_are_uniform_in_their_ranges(recipes, read, low, high):
    values = np.array([value for recipe in recipes if recipe for value in read(recipe)])
    assert low <= values.min() < low + 0.02 * (high - low)
    assert high - 0.02 * (high - low) < values.max() <= high
    assert stats.kstest((values - low) / (high - low), "uniform").statistic < 0.06


def test_corners_move_inwards_by_half_a_normal_of_two_to_five_hundredths(recipes):
    inset = np.array([r.inset for r in recipes if r is not None and r.inset is not None])
    assert inset.min() >= 0
    assert inset.max() < 0.25
    mean, error = 0.035 * np.sqrt(2 / np.pi), inset.mean(axis=(1, 2)).std() / np.sqrt(len(inset))
    assert abs(inset.mean() - mean) < 5 * error
    square = np.mean(inset**2)
    assert square == pytest.approx((0.05**3 - 0.02**3) / 0.03 / 3, rel=0.1)


def test_a_chain_that_is_off_draws_no_number():
    rng, other = np.random.default_rng(0), np.random.default_rng(0)
    draw = Chain(0.0, 0.4).draw(rng, SIZE)
    assert rng.random() == other.random()
    assert all(np.array_equal(one, two) for one, two in zip(draw, nothing(SIZE), strict=True))


def test_nothing_changes_nothing():
    frames = noise(4, SIZE, SIZE, 3)
    assert np.array_equal(apply_on_host(frames, nothing(SIZE)), frames)
    clips = on_device(frames[None], together([nothing(SIZE)]))
    assert np.array_equal(clips[0], frames)


def test_a_gaussian_blur_equals_scipys():
    frames = noise(2, SIZE, SIZE, 3)
    for deviation in (0.1, 0.2, 0.3):
        axes = {"axes": (1, 2), "mode": "mirror"}
        expected = ndimage.gaussian_filter(frames.astype(float), deviation, **axes)
        # Eight weights are rounded to multiples of 1/8192.
        bound = 0.5 + 8 * 0.5 / 8192 * 255
        assert np.abs(applied(Recipe(gaussian=deviation), frames) - expected).max() <= bound


def test_an_average_blur_is_the_mean_of_a_pixel_and_those_before_it():
    frames = noise(2, SIZE, SIZE, 3).astype(float)
    wide = np.pad(frames, ((0, 0), (1, 0), (1, 0), (0, 0)), mode="reflect")
    mean = (wide[:, 1:, 1:] + wide[:, :-1, 1:] + wide[:, 1:, :-1] + wide[:, :-1, :-1]) / 4
    found = applied(Recipe(average=2), frames.astype(np.uint8))
    assert np.abs(found - mean).max() <= 0.5
    axes = {"axes": (1, 2), "mode": "mirror"}
    smooth = ndimage.gaussian_filter(frames, 0.3, **axes)
    both = ndimage.uniform_filter(smooth, 2, **axes)
    found = applied(Recipe(gaussian=0.3, average=2), frames.astype(np.uint8))
    assert np.abs(found - both).max() <= 0.5 + 8 * 0.5 / 8192 * 255


def test_add_multiply_gamma_and_contrast_are_their_formulas():
    frames = noise(2, SIZE, SIZE, 3)
    recipe = Recipe(add=(-15, 3, 12), multiply=1.17, gamma=0.87)
    values = np.clip(frames + np.array([-15.0, 3, 12]), 0, 255)
    values = 255 * (np.clip(values * 1.17, 0, 255) / 255) ** 0.87
    assert np.abs(applied(recipe, frames) - values).max() <= 0.5
    contrast = np.clip(128 + 1.1 * (frames - 128.0), 0, 255)
    assert np.abs(applied(Recipe(contrast=1.1), frames) - contrast).max() <= 0.5


@pytest.mark.parametrize(("turn", "more"), [(16 / 255, 0.0), (-0.03, 0.06), (0.05, -16 / 255)])
def test_hue_and_saturation_are_those_of_the_hsv_model(turn, more):
    frames = noise(1, 40, 40, 3)
    found = applied(Recipe(hue=turn, saturation=more), frames)

    def shifted(color):
        h, s, v = colorsys.rgb_to_hsv(*(color / 255))
        return colorsys.hsv_to_rgb((h + turn) % 1, min(max(s + more, 0), 1), v)

    expected = 255 * np.apply_along_axis(shifted, -1, frames)
    # Rounding errors of hue, hue shift, saturation shift and chroma: half of 1, 1, 1/4 and 1.
    assert np.abs(found - expected).max() < 0.5 * (1 + 1 + 0.25 + 1) + 0.5
    assert np.abs(found - expected).mean() < 0.4


def test_greys_have_the_hue_of_red_and_black_stays_black():
    greys = np.repeat(np.arange(0, 256, 17, dtype=np.uint8), 3).reshape(1, 4, 4, 3)
    red, green, blue = np.moveaxis(applied(Recipe(saturation=0.05), greys), -1, 0).astype(int)
    assert np.array_equal(red, greys[..., 0])
    assert np.array_equal(green, blue)
    assert np.abs(green - 0.95 * red).max() <= 0.6


@jax.jit
def shifted_on_device(rgb, turn, more):
    return hue.shifted(jnp, rgb, turn, more)


@pytest.mark.parametrize(("turn", "more"), [(0, 0), (-96, 64), (61, -37)])
def test_every_colour_gives_the_same_result_on_host_and_device(turn, more):
    plane = np.indices((256, 256)).astype(np.int16)
    for red in range(0, 256, 32):
        block = np.broadcast_to(
            np.arange(red, red + 32, dtype=np.int16)[:, None, None], (32, 256, 256)
        )
        rgb = np.stack([block, *np.broadcast_to(plane[:, None], (2, 32, 256, 256))])
        host = hue.shifted(np, rgb, np.int16(turn), np.int16(more))
        assert np.array_equal(host, shifted_on_device(rgb.astype(np.int32), turn, more))
        assert turn or more or np.array_equal(host, rgb)


def homography(points, images):
    """Solves the eight equations of the homography that maps four points to four others."""
    rows, values = [], []
    for (x, y), (u, v) in zip(points, images, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.append(np.linalg.solve(rows, values), 1).reshape(3, 3)


def matrix_of(recipe, size):
    """Returns the map from result to source pixels, from the definition."""
    last = size - 1
    corners = np.array([[0, 0], [last, 0], [last, last], [0, last]], float)
    if recipe.inset is None:
        angle = np.deg2rad(recipe.degrees)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return homography(corners, (corners - last / 2) @ turn.T + last / 2)
    inwards = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    return homography(corners, corners + last * inwards * recipe.inset)


def places_of(matrix, size):
    y, x = np.indices((size, size))
    u, v, depth = np.einsum("ij,jyx->iyx", matrix, np.stack([x, y, np.ones_like(x)]))
    return u / depth, v / depth


@pytest.mark.parametrize("size", [9, 112, 224, 320])
@pytest.mark.parametrize(
    "recipe", [Recipe(degrees=10.0), Recipe(degrees=-3.3), Recipe(inset=INSET)]
)
def test_pixels_come_from_where_rotation_and_perspective_say(recipe, size):
    found = warp.sources(recipe.draw(size).warp, size)
    for part, exact in zip(found, places_of(matrix_of(recipe, size), size), strict=True):
        assert part.dtype == np.int32
        assert np.abs(part / 32 - exact.clip(0, size - 1)).max() < 1 / 64 + 0.005


@pytest.mark.parametrize("recipe", [Recipe(degrees=10.0), Recipe(inset=INSET)])
def test_between_pixels_values_are_interpolated(recipe):
    frames = noise(2, SIZE, SIZE, 3)
    down, across = (part / 32 for part in warp.sources(recipe.draw(SIZE).warp, SIZE)[::-1])
    found = applied(recipe, frames)
    for frame, result in zip(frames, found, strict=True):
        for channel in range(3):
            values = frame[..., channel].astype(float)
            expected = ndimage.map_coordinates(values, [down, across], order=1, mode="nearest")
            assert np.abs(result[..., channel] - expected).max() <= 0.5


def test_a_rotation_is_anticlockwise():
    frame = np.zeros((1, 41, 41, 3), np.uint8)
    frame[0, 20, 36] = 255
    found = applied(Recipe(degrees=10.0), frame)[0, ..., 0]
    row, column = ndimage.center_of_mass(found)
    assert (row, column) == pytest.approx(
        (20 - 16 * np.sin(np.pi / 18), 20 + 16 * np.cos(np.pi / 18)), abs=0.1
    )


@pytest.mark.parametrize("size", [2, 16, 112, 255, 256, 511])
def test_32_bits_hold_every_warp_that_may_be_drawn(size):
    rng = np.random.default_rng(2)
    insets = 0.24 * rng.integers(0, 2, (12, 4, 2))
    warps = [warp.perspective(inset, size) for inset in insets]
    warps += [warp.rotation(degrees, size) for degrees in (-10, 10)]
    for homography in warps:
        exact = warp.sources(homography.astype(np.int64), size)
        assert np.array_equal(warp.sources(homography, size), exact)


def test_all_frames_of_a_clip_are_changed_alike():
    rng, chain = np.random.default_rng(3), Chain(1.0, 0.5)
    frames = np.repeat(noise(1, SIZE, SIZE, 3), 3, axis=0)
    for _ in range(10):
        clip = apply_on_host(frames, chain.draw(rng, SIZE))
        assert (clip == clip[:1]).all()


def test_members_are_applied_in_the_stated_order():
    frames = noise(2, SIZE, SIZE, 3)
    order = ("average", "gamma", "hue", "contrast", "rotation")
    whole, step_by_step = Recipe(), frames
    for name in order:
        changes = zip(Recipe._fields, MEMBERS[name], Recipe(), strict=True)
        whole = whole._replace(**{key: new for key, new, default in changes if new is not default})
        step_by_step = applied(MEMBERS[name], step_by_step)
    assert np.array_equal(applied(whole, frames), step_by_step)
    # Contrast and gamma share one table if no hue shift is between them.
    pair = applied(MEMBERS["contrast"], applied(MEMBERS["gamma"], frames))
    assert np.array_equal(applied(Recipe(gamma=0.85, contrast=1.115), frames), pair)


def test_mirroring_comes_last():
    frames = noise(2, SIZE, SIZE, 3)
    draw = MEMBERS["rotation"]._replace(gaussian=0.3).draw(SIZE)
    mirrored = apply_on_host(frames, draw._replace(flip=np.bool_(True)))
    assert np.array_equal(mirrored, apply_on_host(frames, draw)[:, :, ::-1])


def checkers(rng):
    """Makes a checkerboard of two colours, with the hardest edges."""
    side = int(rng.integers(1, 6))
    pattern = (np.indices((SIZE, SIZE)) // side).sum(0) % 2
    return rng.integers(0, 2, (2, 3)).astype(np.uint8)[pattern] * 255


@pytest.mark.parametrize("name", [*MEMBERS, "flip"])
def test_host_and_device_agree_on_each_member(name):
    rng = np.random.default_rng(7)
    frames = np.stack([checkers(rng), checkers(rng), *noise(3, SIZE, SIZE, 3)])
    draw = MEMBERS.get(name, Recipe()).draw(SIZE)._replace(flip=np.bool_(name == "flip"))
    host = apply_on_host(frames, draw)
    assert not np.array_equal(host, frames)
    assert np.array_equal(host, on_device(frames[None], together([draw]))[0])


def test_host_and_device_agree_on_whatever_is_drawn():
    rng, chain = np.random.default_rng(11), Chain(0.9, 0.5)
    for _ in range(20):
        frames = np.stack(
            [np.stack([checkers(rng), noise(SIZE, SIZE, 3, seed=k)]) for k in range(16)]
        )
        draws = [chain.draw(rng, SIZE)._replace(flip=np.bool_(rng.random() < 0.5)) for _ in frames]
        host = np.stack(
            [apply_on_host(clip, draw) for clip, draw in zip(frames, draws, strict=True)]
        )
        assert np.array_equal(host, on_device(frames, together(draws)))


def test_frames_may_be_a_part_of_larger_ones():
    large = noise(2, SIZE + 9, SIZE + 6, 3)
    part = large[:, 4 : SIZE + 4, 1 : SIZE + 1]
    for draw in (MEMBERS[name].draw(SIZE) for name in MEMBERS):
        draw = draw._replace(flip=np.bool_(True))
        assert np.array_equal(apply_on_host(part, draw), apply_on_host(part.copy(), draw))
