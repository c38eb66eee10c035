"""Tests operations on clips against Pillow, on one frame and on all frames as one image."""

import math

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from vidjax.data import image_operations as operations

FRAMES, HEIGHT, WIDTH = 3, 21, 31


def textured(seed=0, low=20, high=236):
    """Makes different smooth colour frames that use a part of the range."""
    rng = np.random.default_rng(seed)
    rough = rng.uniform(low, high, (FRAMES, 5, 6, 3)).astype(np.float32)
    clip = np.stack([cv2.resize(frame, (WIDTH, HEIGHT)) for frame in rough])
    return np.rint(clip).astype(np.uint8)


CLIP = textured()


def by_pillow(change, clip=CLIP):
    """Applies Pillow to all frames as one tall image."""
    tall = Image.fromarray(clip.reshape(-1, WIDTH, 3))
    return np.asarray(change(tall)).reshape(clip.shape)


def by_frame(change, clip=CLIP):
    return np.stack([np.asarray(change(Image.fromarray(frame))) for frame in clip])


def distance(one, two):
    return np.abs(one.astype(int) - two.astype(int))


@pytest.mark.parametrize("clip", [CLIP, CLIP[:1], textured(1, 90, 140)], ids=["all", "one", "flat"])
@pytest.mark.parametrize(
    ("change", "theirs"),
    [
        (operations.auto_contrast, ImageOps.autocontrast),
        (operations.equalize, ImageOps.equalize),
        *(
            (
                lambda x, _, n=n: operations.posterize(x, 8 - n),
                lambda x, n=n: ImageOps.posterize(x, n),
            )
            for n in (1, 4, 8)
        ),
        *(
            (
                lambda x, _, n=n: operations.solarize(x, 256 - n),
                lambda x, n=n: ImageOps.solarize(x, n),
            )
            for n in (0, 100, 256)
        ),
    ],
)
def test_lookup_operations_equal_pillow_on_all_frames_exactly(change, theirs, clip):
    np.testing.assert_array_equal(change(clip, 0.0), by_pillow(theirs, clip))


@pytest.mark.parametrize("amount", [-0.99, -0.5, 0.3, 0.99])
@pytest.mark.parametrize(
    ("change", "theirs"),
    [
        (operations.brightness, ImageEnhance.Brightness),
        (operations.contrast, ImageEnhance.Contrast),
        (operations.color, ImageEnhance.Color),
    ],
)
def test_enhancements_equal_pillow_on_all_frames_to_one_step(change, theirs, amount):
    ours = change(CLIP, amount)
    expected = by_pillow(lambda picture: theirs(picture).enhance(1 + amount))
    # Pillow truncates where we round.
    assert distance(ours, expected).max() <= 1
    assert distance(ours, CLIP).max() > 10


@pytest.mark.parametrize("amount", [-0.99, 0.5, 0.99])
def test_sharpness_equals_pillow_on_each_frame_to_one_step(amount):
    noisy = np.random.default_rng(3).integers(0, 256, CLIP.shape, np.uint8)
    for clip in (CLIP, noisy):
        ours = operations.sharpness(clip, amount)
        expected = by_frame(lambda p: ImageEnhance.Sharpness(p).enhance(1 + amount), clip)
        assert distance(ours, expected).max() <= 1
    smooth = by_frame(lambda picture: picture.filter(ImageFilter.SMOOTH), noisy)
    assert distance(operations.sharpness(noisy, -1.0), smooth).max() <= 1


def test_contrast_is_its_equation():
    grey = CLIP @ np.array([0.299, 0.587, 0.114])
    mean = round(grey.mean())
    expected = (mean + (CLIP.astype(float) - mean) * 1.5).clip(0, 255)
    assert np.abs(operations.contrast(CLIP, 0.5) - expected).max() <= 0.5 + 1e-9


ALL = [
    operations.identity,
    operations.brightness,
    operations.contrast,
    operations.color,
    operations.sharpness,
    operations.posterize,
    operations.solarize,
    operations.shear_x,
    operations.shear_y,
    operations.translate_x,
    operations.translate_y,
    operations.rotate,
]


@pytest.mark.parametrize("change", ALL)
def test_an_amount_of_zero_changes_nothing(change):
    np.testing.assert_array_equal(change(CLIP, 0.0), CLIP)


@pytest.mark.parametrize("change", [*ALL, operations.auto_contrast, operations.equalize])
def test_equal_frames_stay_equal_and_the_input_is_unchanged(change):
    still = np.repeat(CLIP[:1], 4, axis=0)
    before = still.copy()
    done = change(still, 0.4)
    assert (done == done[:1]).all()
    assert (done.dtype, done.shape) == (np.uint8, still.shape)
    np.testing.assert_array_equal(still, before)


def test_statistics_are_computed_over_all_frames():
    """Of a bright and a dark frame: stretched separately, both would get the same range."""
    dark, bright = np.full((2, 4, 4, 3), [[[[50]]], [[[150]]]], np.uint8)
    clip = np.stack([dark, bright])
    np.testing.assert_array_equal(operations.auto_contrast(clip, 0.0)[:, 0, 0, 0], [0, 255])
    np.testing.assert_array_equal(operations.contrast(clip, 0.5)[:, 0, 0, 0], [25, 175])


def test_a_clip_of_one_colour_stays():
    for change in (operations.auto_contrast, operations.equalize):
        plain = np.full((2, 5, 5, 3), 77, np.uint8)
        np.testing.assert_array_equal(change(plain, 0.0), plain)


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_quarter_turns_equal_numpy(degrees):
    square = CLIP[:, :, :HEIGHT]
    turned = np.rot90(square, degrees // 90, axes=(1, 2))
    np.testing.assert_array_equal(operations.rotate(square, degrees), turned)


@pytest.mark.parametrize(("across", "down"), [(4, 0), (-7, 0), (0, 3), (0, -5)])
def test_shifts_move_pixels_and_leave_grey(across, down):
    if across:
        done = operations.translate_x(CLIP, across / WIDTH)
    else:
        done = operations.translate_y(CLIP, down / HEIGHT)
    expected = np.full_like(CLIP, 128)
    to = [slice(max(0, s), None if s >= 0 else s) for s in (down, across)]
    source = [slice(max(0, -s), None if s <= 0 else -s) for s in (down, across)]
    expected[:, to[0], to[1]] = CLIP[:, source[0], source[1]]
    np.testing.assert_array_equal(done, expected)


def test_a_shear_of_one_shifts_each_row_by_its_height_above_the_centre():
    done = operations.shear_x(CLIP, 1.0)
    for row in range(HEIGHT):
        shift = HEIGHT // 2 - row
        expected = np.full_like(CLIP[:, row], 128)
        to = slice(max(0, shift), None if shift >= 0 else shift)
        source = slice(max(0, -shift), None if shift <= 0 else -shift)
        expected[:, to] = CLIP[:, row, source]
        np.testing.assert_array_equal(done[:, row], expected)
    sheared = operations.shear_y(np.ascontiguousarray(CLIP.swapaxes(1, 2)), 1.0)
    np.testing.assert_array_equal(sheared.swapaxes(1, 2), done)


@pytest.mark.parametrize("degrees", [30, -135, 17.5])
def test_other_rotations_equal_pillow_within_the_image(degrees):
    ours = operations.rotate(CLIP, degrees)
    theirs = by_frame(lambda p: p.rotate(degrees, Image.Resampling.BILINEAR))
    # Only pixels whose sources lie within the image.
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    y, x = y - (HEIGHT - 1) / 2, x - (WIDTH - 1) / 2
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    inside = (abs(cos * x - sin * y) < WIDTH / 2 - 2) & (abs(sin * x + cos * y) < HEIGHT / 2 - 2)
    assert inside.mean() > 0.3
    # OpenCV computes positions in 1/32 pixel.
    assert distance(ours, theirs)[:, inside].max() <= 4
    assert distance(ours, theirs)[:, inside].mean() < 1
