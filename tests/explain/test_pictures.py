"""Pictures, JSON and the page of explanations, from pyramids that are only written down."""

import json

import av
import cv2
import numpy as np
import pytest

from vidjax.explain.class_feature_pyramids import KeptLayer, Pyramid
from vidjax.explain.pyramid_figure import MOST_LINKS, draw_pyramid, strongest
from vidjax.explain.pyramid_json import from_json, to_json
from vidjax.explain.render import heat, overlay, side_by_side, write_heat

RNG = np.random.default_rng(0)
SIZE = (6, 21, 33)
FRAMES = RNG.integers(0, 255, (*SIZE, 3), np.uint8)
VOLUME = np.linspace(0, 1, np.prod(SIZE), dtype=np.float32).reshape(SIZE)


def layer(name, level, kernels):
    count = len(kernels)
    weights = np.linspace(1, 0.6, count, dtype=np.float32)
    maps = RNG.random((count, 2, 3, 5), np.float32)
    return KeptLayer(name, level, np.array(kernels), weights, np.arange(1, count + 1), maps)


@pytest.fixture(scope="module")
def pyramid():
    shared = ((("conv1", 5), 0.9), (("conv1", 2), 0.7))
    edges = {
        ("", 4): ((("conv2", 3), 1.0), (("conv2", 1), 0.6)),
        ("conv2", 3): shared,
        ("conv2", 1): shared,
    }
    layers = (layer("conv2", 1, [1, 3]), layer("conv1", 2, [2, 5]))
    return Pyramid(4, "layer", 0.6, 2, SIZE, layers, edges)


def test_heat_goes_from_blue_to_red():
    colours = heat(np.array([[[0.0, 0.5, 1.0]]]))[0, 0].astype(int)
    assert colours[0].argmax() == 2
    assert colours[2].argmax() == 0
    assert colours[1].argmax() == 1


def test_an_overlay_is_half_heat_and_half_frame():
    found = overlay(FRAMES, VOLUME)
    assert found.dtype == np.uint8
    assert np.array_equal(found, heat(VOLUME) // 2 + FRAMES // 2)
    with pytest.raises(ValueError, match=r"\(6, 21, 33\) and heat \(5, 21, 33\) differ"):
        overlay(FRAMES, VOLUME[1:])


def test_files_hold_the_clip_and_each_heat_beside_it(tmp_path):
    files = write_heat(tmp_path, "tubes", FRAMES, {"sit": VOLUME, "stand": 1 - VOLUME}, 7.5)
    assert [file.name for file in files] == ["tubes.mp4", "tubes.gif", "tubes.png"]
    # Small frames are enlarged by a whole number; a label is above each.
    height, width = 6 * SIZE[1], 3 * 6 * SIZE[2]
    for file in files[:2]:
        with av.open(str(file)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert len(frames) == SIZE[0]
        assert frames[0].shape[:2] == (16 + height, width)
        first = frames[0][16 + 3 :: 6, 3::6].astype(int)
        assert abs(first[:, : SIZE[2]] - FRAMES[0]).mean() < 40
        middle = overlay(FRAMES, VOLUME)[0]
        assert abs(first[:, SIZE[2] : 2 * SIZE[2]] - middle).mean() < 40
    sheet = cv2.imread(str(files[2]))
    assert sheet.shape[1] == 6 * (6 * SIZE[2] + 2)
    assert sheet.shape[0] == 3 * (16 + height + 2)


def test_json_goes_out_and_comes_back(pyramid):
    text = to_json(pyramid)
    back = from_json(text)
    assert back.edges == pyramid.edges
    assert back.roots == pyramid.roots
    assert (back.class_index, back.threshold, back.size) == (4, 0.6, SIZE)
    for one, other in zip(back.layers, pyramid.layers, strict=True):
        assert (one.name, one.level) == (other.name, other.level)
        for name in ("kernels", "weights", "counts"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
    assert to_json(back) == text
    # Kernels that share a list point to it.
    kernels = json.loads(text)["layers"][0]["kernels"]
    assert kernels[0]["list"] == kernels[1]["list"]
    with pytest.raises(ValueError, match="no class feature pyramid"):
        from_json('{"class_index": 1}')
    with pytest.raises(ValueError, match="read from JSON, which has none"):
        back.tube("conv1")


def test_tiles_are_the_most_relied_on(pyramid):
    own = KeptLayer("x", 1, np.arange(4), np.array([0.7, 1, 0.7, 0.9]), np.array([1, 1, 5, 1]))
    assert strongest(own).tolist() == [1, 3, 2, 0]
    assert strongest(own, 2).tolist() == [1, 3]


def test_the_figure_shows_layers_kernels_and_links(pyramid, tmp_path):
    figure = draw_pyramid(pyramid, FRAMES, "sit_down (90.0%)")
    (axes,) = figure.axes
    texts = [text.get_text() for text in axes.texts]
    assert "sit_down (90.0%)" in texts
    assert "conv2\n2 kernels" in texts
    assert not any("are drawn" in text for text in texts)
    assert "5 · 0.60 · 2" in texts
    assert len(axes.images) == 4
    assert len(axes.lines) == 6
    figure.savefig(tmp_path / "pyramid.png")
    assert cv2.imread(str(tmp_path / "pyramid.png")).std() > 10


def test_videos_stand_in_rows_with_their_labels():
    videos = {f"number {k}": np.full((2, 10, 20, 3), 40 * k, np.uint8) for k in range(6)}
    board = side_by_side(videos)
    assert board.shape == (2, 2 * (16 + 10), 4 * 20, 3)
    for number in range(6):
        row, column = divmod(number, 4)
        tile = board[:, row * 26 : row * 26 + 26, column * 20 : column * 20 + 20]
        assert (tile[:, 16:] == 40 * number).all()
        assert (tile[:, :16] < 200).any()
    assert (board[:, 26:, 40:] == 255).all()


def test_the_strongest_links_between_two_layers_are_drawn_and_the_rest_counted():
    kernels = list(range(14))
    edges = {("", 0): tuple((("top", k), 1 - k / 100) for k in kernels)}
    shared = tuple((("low", k), 1.0) for k in kernels)
    edges |= {("top", k): shared for k in kernels}
    layers = (layer("top", 1, kernels), layer("low", 2, kernels))
    figure = draw_pyramid(Pyramid(0, "layer", 1.0, 2, SIZE, layers, edges), FRAMES, "dense")
    (axes,) = figure.axes
    # Of 12 tiles a layer: all of the class's links, and so many of those between the layers.
    assert len(axes.lines) == 12 + MOST_LINKS
    assert f"{12 + MOST_LINKS} of {12 + 144} links" in axes.texts[-1].get_text()
    assert max(line.get_alpha() for line in axes.lines) > 0.5
    assert "top\n14 kernels, 12 shown" in [text.get_text() for text in axes.texts]
