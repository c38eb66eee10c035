"""Tests heatmaps over frames: their colours, and how much of the video stays visible."""

import cv2
import matplotlib as mpl
import numpy as np
import pytest

from vidjax.explain.colours import COLOURS, MOST, heat, overlay, scale

RNG = np.random.default_rng(0)
SIZE = (6, 21, 33)
FRAMES = RNG.integers(0, 255, (*SIZE, 3), np.uint8)
VOLUME = np.linspace(0, 1, np.prod(SIZE), dtype=np.float32).reshape(SIZE)


def test_the_published_heat_goes_from_blue_to_red():
    colours = heat(np.array([[[0.0, 0.5, 1.0]]]))[0, 0].astype(int)
    assert colours[0].argmax() == 2
    assert colours[2].argmax() == 0
    assert colours[1].argmax() == 1
    levels = np.arange(256, dtype=np.uint8)[None]
    table = cv2.applyColorMap(levels, cv2.COLORMAP_JET)[..., ::-1]
    assert np.array_equal(heat(levels / 255), table)


def test_the_published_overlay_is_half_heat_and_half_frame():
    found = overlay(FRAMES, VOLUME, "jet")
    assert found.dtype == np.uint8
    assert np.array_equal(found, heat(VOLUME, "jet") // 2 + FRAMES // 2)
    with pytest.raises(ValueError, match=r"\(6, 21, 33\) and heatmap \(5, 21, 33\) must have"):
        overlay(FRAMES, VOLUME[1:])


@pytest.mark.parametrize("colours", ["inferno", "turbo"])
def test_hotter_places_show_less_of_the_video(colours):
    """The same heat over black and over white differs by the visible part of the frame."""
    black, white = np.zeros((1, 256, 3), np.uint8), np.full((1, 256, 3), 255, np.uint8)
    levels = np.linspace(0, 1, 256)[None]
    through = overlay(white, levels, colours).astype(float) - overlay(black, levels, colours)
    assert np.abs(through / 255 - (1 - MOST * levels)[..., None]).max() < 0.01
    assert np.array_equal(overlay(FRAMES, np.zeros(SIZE), colours), FRAMES)
    hottest = overlay(black, np.ones((1, 256)), colours)[0, 0] / MOST
    assert np.abs(hottest - 255 * np.array(mpl.colormaps[colours](1.0)[:3])).max() < 2


def test_lightness_grows_with_heat_as_the_perceptual_map_promises():
    black = np.zeros((1, 256, 3), np.uint8)
    drawn = overlay(black, np.linspace(0, 1, 256)[None], "inferno")
    lightness = cv2.cvtColor(drawn, cv2.COLOR_RGB2LAB)[0, :, 0].astype(int)
    assert (np.diff(lightness) >= -1).all()
    assert lightness[-1] - lightness[0] > 150


def test_a_difference_is_red_for_the_first_class_and_blue_for_the_second():
    grey = np.full((1, 3, 3), 128, np.uint8)
    first, same, second = overlay(grey, np.array([[1.0, 0, -1]]), signed=True)[0].astype(int)
    assert first[0] > first[2] + 50
    assert second[2] > second[0] + 50
    assert same.tolist() == [128, 128, 128]


def test_the_bar_of_a_difference_goes_from_red_to_blue():
    bar = scale("inferno", signed=True)[0].astype(int)
    assert bar[0, 0] > bar[0, 2] + 50
    assert bar[-1, 2] > bar[-1, 0] + 50
    assert bar[len(bar) // 2].min() > 250


@pytest.mark.parametrize("colours", COLOURS)
def test_the_bar_shows_the_colours_from_cold_to_hot(colours):
    bar = scale(colours, signed=False)
    assert bar.shape == (1, 160, 3)
    white = np.full((1, 1, 3), 255, np.uint8)
    assert np.array_equal(bar[:, -1:], overlay(white, np.ones((1, 1)), colours))
