"""Tests images, JSON and the page with directly constructed pyramids."""

import json

import av
import cv2
import numpy as np
import pytest

from vidjax.explain import contact_sheet
from vidjax.explain.captioned_map import CaptionedMap
from vidjax.explain.captions import caption, wrapped
from vidjax.explain.class_feature_pyramids import KeptLayer, Pyramid
from vidjax.explain.contact_sheet import write_sheet
from vidjax.explain.panels import Panels
from vidjax.explain.pyramid_figure import strongest
from vidjax.explain.pyramid_json import from_json, to_json
from vidjax.explain.render import in_rows, overlay, write_heat
from vidjax.explain.source_video import SourceVideo

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


def read_video(file):
    with av.open(str(file)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_files_show_the_video_beside_each_heatmap(tmp_path):
    footage = SourceVideo.of_clip(FRAMES, 7.5)
    drawn = [
        CaptionedMap("sit", VOLUME, ("90.0%", "2x3x5 cells")),
        CaptionedMap("stand", 1 - VOLUME),
    ]
    files = write_heat(tmp_path, "tubes", footage, drawn, "jet")
    assert [file.name for file in files] == ["tubes.mp4", "tubes.gif", "tubes.png"]
    # Small frames are enlarged by an integer factor, 11; captions are above.
    height, width = 11 * SIZE[1], 11 * SIZE[2]
    # An odd width gets one more column; animations are smaller.
    for file, shown in zip(files[:2], (3 * width + 1, 960), strict=True):
        frames = read_video(file)
        assert len(frames) == SIZE[0]
        assert frames.shape[2] == shown
    board = read_video(files[0])
    top = board.shape[1] - height
    for place, expected in enumerate((FRAMES, overlay(FRAMES, VOLUME, "jet"))):
        own = board[:, top:, place * width : (place + 1) * width]
        middles = own[:, 5::11, 5::11].astype(int)
        assert np.abs(middles - expected).mean() < 30
    assert (board[:, :top] < 100).any((0, 3))[:, width : 2 * width].any()


def test_heat_is_drawn_only_in_the_outlined_window(tmp_path):
    video = np.full((3, 240, 320, 3), 90, np.uint8)
    window = (20.0, 60.0, 200.0, 200.0)
    footage = SourceVideo(lambda: iter(video), 10, (240, 320), window, (2, 8, 8), (0, 0.5, 1))
    volume = np.stack([np.zeros((8, 8)), np.ones((8, 8))]).astype(np.float32)
    panels = Panels(footage, [CaptionedMap("map", volume)], "inferno", 10_000)
    for place, share in ((0, 0), (0.5, 0.5), (1, 1)):
        plain, hot = panels.at(video[0], place)
        expected = overlay(video[:1, :1, :1], np.full((1, 1, 1), share), "inferno")[0, 0, 0]
        assert np.abs(hot[25:215, 65:255].astype(int) - expected).max() <= 1
        assert (hot[:20] == 90).all()
        assert (hot[:, 261:] == 90).all()
        assert (plain[20, 60:260] == 255).all()
        assert (hot[20:220, 259] == 255).all()


def test_a_sheet_has_a_captioned_row_per_heatmap(tmp_path):
    video = np.full((30, 240, 320, 3), 90, np.uint8)
    window, places = (20.0, 60.0, 200.0, 200.0), tuple(np.linspace(0, 1, 30))
    footage = SourceVideo(lambda: iter(video), 10, (240, 320), window, (2, 8, 8), places)
    drawn = [
        CaptionedMap("one", np.ones((2, 8, 8))),
        CaptionedMap("two", np.zeros((2, 8, 8)), signed=True),
    ]
    write_sheet(tmp_path / "sheet.png", footage, drawn, "inferno")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape[1] == 5 * (320 + 3)
    tiles = (sheet == 90).all(-1)
    # Rows of the sheet that show the video outside of the window: three times 240.
    assert tiles[:, 5].sum() == 3 * 240
    assert (sheet[tiles[:, 5]][:, 100] != 90).any(-1).sum() > 200


def test_a_difference_is_scaled_to_its_largest_value():
    one = np.array([[[0.5, 0.25, 0.5]]])
    other = np.array([[[0.25, 0.375, 0.5]]])
    difference = CaptionedMap("CAM", one).minus(CaptionedMap("CAM", other), "sit", "stand")
    assert difference.volume.tolist() == [[[1.0, -0.5, 0.0]]]
    assert difference.facts == ("red speaks for sit, blue for stand", "largest difference 0.25")
    rounded = CaptionedMap("CAM", one).minus(CaptionedMap("CAM", one + 1e-7), "sit", "stand")
    assert not rounded.volume.any()
    assert rounded.facts[1] == "both classes have the same map"


def test_the_legend_has_a_bar_for_each_meaning_of_colours(monkeypatch, tmp_path):
    written = []
    draw = contact_sheet.line
    monkeypatch.setattr(
        contact_sheet, "line", lambda text, *a, **b: written.append(text) or draw(text, *a, **b)
    )
    plain = CaptionedMap("CAM", VOLUME)
    difference = plain.minus(CaptionedMap("CAM", 1 - VOLUME), "stand", "sit")
    footage = SourceVideo.of_clip(FRAMES, 7.5)
    write_sheet(tmp_path / "sheet.png", footage, [plain, difference, plain], "inferno")
    assert written[-2:] == [plain.meaning, "red speaks for stand, blue for sit"]


def test_captions_are_cut_at_the_available_width():
    for width in (60, 150, 400):
        facts = ("sitting down very slowly 98.1%", "4x7x7 cells", "tau 0.5", "3 passes, 0.41 s")
        picture = caption("A title that is rather long \u202e<b>", facts, width)
        assert picture.shape[1] == width
        assert (picture[:, -2:] == 255).all()
        assert (picture < 100).any()
    lines = wrapped(facts, 150, 11)
    assert 1 < len(lines) < 5
    assert " · ".join(lines).replace(" · ", "|") == "|".join(facts)
    assert wrapped(facts, 10_000, 11) == [" · ".join(facts)]


def test_json_round_trips(pyramid):
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
    # Kernels with equal lists share one.
    kernels = json.loads(text)["layers"][0]["kernels"]
    assert kernels[0]["list"] == kernels[1]["list"]
    with pytest.raises(ValueError, match="not a class feature pyramid"):
        from_json('{"class_index": 1}')
    with pytest.raises(ValueError, match="read from JSON, which does not store activations"):
        back.tube("conv1")


def test_tiles_show_the_kernels_with_the_largest_weights(pyramid):
    own = KeptLayer("x", 1, np.arange(4), np.array([0.7, 1, 0.7, 0.9]), np.array([1, 1, 5, 1]))
    assert strongest(own).tolist() == [1, 3, 2, 0]
    assert strongest(own, 2).tolist() == [1, 3]


def test_images_are_arranged_in_rows():
    tiles = [np.full((10, 20, 3), 40 * k, np.uint8) for k in range(6)]
    board = in_rows(tiles)
    assert board.shape == (2 * 10, 4 * 20, 3)
    for number in range(6):
        row, column = divmod(number, 4)
        assert (
            board[row * 10 : row * 10 + 10, column * 20 : column * 20 + 20] == 40 * number
        ).all()
    assert (board[10:, 40:] == 255).all()
