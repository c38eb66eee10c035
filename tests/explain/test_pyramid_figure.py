"""Tests the figure of a pyramid, by the positions of Matplotlib's artists, and its animation."""

import itertools

import numpy as np
import pytest
from matplotlib.transforms import Bbox

from vidjax.explain.colours import overlay
from vidjax.explain.pyramid import KeptLayer, Pyramid
from vidjax.explain.pyramid_animation import play_pyramid
from vidjax.explain.pyramid_figure import arrange, draw_pyramid, peak, thirds
from vidjax.explain.pyramid_tiles import rows_of, strands_of

RNG = np.random.default_rng(3)
SIZE = (6, 40, 60)
FRAMES = RNG.integers(0, 255, (*SIZE, 3), np.uint8)
LISTS = {"layer": "layer", "feature": "kernel"}
COUNTS = {"block2/conv2": (1, 7, 1), "block2/conv1": (2, 12, 2), "block1/conv2": (3, 9, 1)}
COUNTS |= {"block1/shortcut/conv": (3, 9, 1), "block1/conv1": (4, 20, 1), "stem": (5, 14, 1)}


def made(mode="layer"):
    """Returns a pyramid of a residual network: three levels, with two layers added."""
    layers = []
    same = RNG.random((9, 2, 3, 5), np.float32)
    for name, (level, count, groups) in COUNTS.items():
        maps = same if count == 9 else RNG.random((count, 2, 3, 5), np.float32)
        weights = np.linspace(1, 0.6, count, dtype=np.float32)
        kernels = np.arange(count) * 2
        counts = np.arange(1, count + 1)
        layers.append(KeptLayer(name, level, kernels, weights, counts, maps, groups, count * 2))
    by_name = {layer.name: layer for layer in layers}
    edges = {("", 4): listed(by_name, "block2/conv2", "block1/conv2", "block1/shortcut/conv")}
    follow = {
        "block2/conv2": ("block2/conv1",),
        "block2/conv1": ("block1/conv2", "block1/shortcut/conv"),
        "block1/conv2": ("block1/conv1",),
        "block1/shortcut/conv": ("stem",),
        "block1/conv1": ("stem",),
    }
    for name, below in follow.items():
        shared = listed(by_name, *below)
        for kernel in by_name[name].kernels.tolist():
            own = shared if mode == "layer" else tuple(RNG.permutation(len(shared))[:3])
            edges[name, kernel] = own if mode == "layer" else tuple(shared[at] for at in own)
    sums = (("block1/conv2", "block1/shortcut/conv"),)
    return Pyramid(4, mode, 0.6, 5, SIZE, tuple(layers), edges, sums)


def listed(layers, *names):
    pairs = [(n, k, w) for n in names for k, w in zip(layers[n].kernels, layers[n].weights)]  # noqa: B905
    return tuple(((name, int(kernel)), float(weight)) for name, kernel, weight in pairs)


@pytest.fixture(scope="module", params=["layer", "feature"])
def drawn(request):
    pyramid = made(request.param)
    drawing = arrange(pyramid, FRAMES, "sit_down (90.0%)", facts=["r3d_18", "step 7"])
    drawing.figure.canvas.draw()
    return pyramid, drawing


def boxes(axes, kind):
    """Returns the bounding boxes of a kind of texts, or of images, in pixels."""
    if kind == "images":
        return [image.get_window_extent() for image in axes.images]
    return [text.get_window_extent() for text in axes.texts if kind in (text.get_gid(), "texts")]


def bounds_of_tiles(drawing):
    return [tile.image.get_window_extent() for tile in drawing.tiles]


def rows_by_place(drawing):
    """Groups tiles into rows by their upper edges; the class is the first."""
    found = bounds_of_tiles(drawing)
    tops = sorted({round(box.y1) for box in found}, reverse=True)
    return [[box for box in found if round(box.y1) == top] for top in tops]


def test_rows_are_levels_from_the_class_downwards(drawn):
    rows = rows_by_place(drawn[1])
    assert [len(row) for row in rows] == [3, 5, 6, 6, 6, 7]


def test_tiles_have_the_videos_aspect_and_rows_are_centred(drawn):
    rows = rows_by_place(drawn[1])
    for row in rows:
        for box in row:
            assert box.width / box.height == pytest.approx(60 / 40, rel=0.01)
    middles = [(row[0].x0 + row[-1].x1) / 2 for row in rows]
    np.testing.assert_allclose(middles, middles[0], atol=0.5)
    widths = [row[-1].x1 - row[0].x0 for row in rows[1:]]
    assert widths == sorted(widths)


def test_square_videos_have_square_tiles():
    square = arrange(made(), FRAMES[:, :, :40], "sit")
    for box in bounds_of_tiles(square):
        assert box.width == pytest.approx(box.height, rel=0.01)


def links(axes):
    """Returns points along each link in pixels, with its width."""
    for patch in axes.patches:
        if patch.get_gid() == "link":
            path = patch.get_path().interpolated(1).to_polygons(closed_only=False)
            way = patch.get_transform().transform(np.concatenate(path))
            between = np.linspace(way[:-1], way[1:], 20).reshape(-1, 2)
            yield between, patch.get_linewidth() * axes.figure.dpi / 72


def test_no_link_crosses_a_tile_or_text(drawn):
    axes = drawn[1].figure.axes[0]
    closed = [*boxes(axes, "images"), *boxes(axes, "texts")]
    count = 0
    for way, width in links(axes):
        count += 1
        for box in closed:
            near = Bbox.from_extents(box.x0 + 0.5, box.y0 + 0.5, box.x1 - 0.5, box.y1 - 0.5)
            inside = (way[:, 0] > near.x0 - width / 2) & (way[:, 0] < near.x1 + width / 2)
            assert not (inside & (way[:, 1] > near.y0) & (way[:, 1] < near.y1)).any()
    assert count > 20


def test_texts_are_inside_and_do_not_overlap(drawn):
    axes = drawn[1].figure.axes[0]
    width, height = axes.figure.bbox.width, axes.figure.bbox.height
    written = [box for box in boxes(axes, "texts") if box.width > 1]
    for box in written:
        assert 0 <= box.x0 <= box.x1 <= width
        assert 0 <= box.y0 <= box.y1 <= height
    for one, other in itertools.combinations([*written, *boxes(axes, "images")], 2):
        low = max(one.x0, other.x0), max(one.y0, other.y0)
        high = min(one.x1, other.x1), min(one.y1, other.y1)
        assert not (high[0] - low[0] > 1 and high[1] - low[1] > 1), (one, other)


def test_the_figure_states_its_facts(drawn):
    pyramid, drawing = drawn
    texts = [text.get_text() for text in drawing.figure.axes[0].texts]
    assert "sit_down (90.0%)" in texts
    (facts,) = (text for text in texts if "θ" in text)
    for fact in ("θ = 0.6", f"one list per {LISTS[pyramid.mode]}", "6 frames", "r3d_18", "step 7"):
        assert fact in facts
    assert {f"level {number}" for number in range(1, 6)} <= set(texts)
    assert {"block2/conv1", "block1/conv2", "+ shortcut/conv", "stem"} <= set(texts)
    assert "2x3x5 cells, 14 kept" in texts
    assert {"most", "least"} <= set(texts)
    assert [f"frame {time}" for time in thirds(6)] == [t for t in texts if t[:5] == "frame"]
    assert thirds(6) == [1, 3, 5]
    assert "Only the strongest kernels of each level are drawn." in foot_of(drawing)


def foot_of(drawing):
    return drawing.figure.axes[0].texts[-1].get_text()


def test_a_figure_of_all_kernels_does_not_say_that_it_leaves_some_out():
    assert "strongest" not in foot_of(arrange(made(), FRAMES, "sit", most=(30, 30)))


def test_a_map_of_one_cell_in_time_names_no_frame():
    maps = RNG.random((2, 1, 3, 5), np.float32)
    numbers = np.array([1, 2])
    layer = KeptLayer("conv", 1, numbers, np.ones(2, np.float32), numbers, maps)
    edges = {("", 4): ((("conv", 1), 1.0), (("conv", 2), 1.0))}
    pyramid = Pyramid(4, "layer", 0.6, 1, SIZE, (layer,), edges)
    texts = [text.get_text() for text in arrange(pyramid, FRAMES, "sit").figure.axes[0].texts]
    assert {"2 · 1.00\nall frames  ×2", "1 · 1.00\nall frames  ×1"} <= set(texts)


def test_a_tile_shows_the_frame_with_its_kernels_largest_activation(drawn):
    pyramid, drawing = drawn
    captions = [
        text.get_text() for text in drawing.figure.axes[0].texts if text.get_gid() == "caption"
    ]
    row = rows_of(pyramid)[0]
    for tile, shown, caption in zip(row.tiles, drawing.tiles[3:], captions[3:], strict=False):
        volume = pyramid.tube("block2/conv2", tile.kernels[0])
        time = int(np.unravel_index(volume.argmax(), volume.shape)[0])
        weight = f"{tile.weight:.2f}"
        assert caption == f"{tile.label} · {weight}\nframe {time}  ×{tile.count}"
        wanted = overlay(FRAMES[time], volume[time])
        np.testing.assert_allclose(shown.image.get_array().astype(int), wanted, atol=1)
    assert [tile.kernels[0] for tile in row.tiles] == [0, 2, 4, 6, 8]


def test_two_layers_of_one_sum_share_a_row_and_their_links():
    pyramid = made()
    rows = rows_of(pyramid)
    (shown,) = rows[2].layers
    assert shown.names == ("block1/conv2", "block1/shortcut/conv")
    assert [tile.kernels for tile in rows[2].tiles] == [(2 * k,) for k in range(6)]
    own = [strand for strand in strands_of(pyramid, rows) if strand.parents[0][0] == 2]
    # The children of one are in the next row, those of the other in the row after that.
    assert sorted({row for strand in own for row, *_ in strand.children}) == [3, 4]


def test_kernels_with_equal_children_share_a_hub():
    pyramid = made("layer")
    strands = strands_of(pyramid, rows_of(pyramid))
    assert len(strands) == 1 + 5
    drawing = arrange(pyramid, FRAMES, "sit")
    expected = sum(
        len(own.children) + (len(own.parents) if len(own.parents) > 1 else 0) for own in strands
    )
    axes = drawing.figure.axes[0]
    assert len(list(links(axes))) == expected
    assert len(axes.lines) == 5
    widths = [width for _, width in links(axes)][:12]
    assert widths[0] == max(widths) > min(widths) > 0


def test_each_kernels_own_list_has_its_own_links():
    pyramid = made("feature")
    rows = rows_of(pyramid)
    at = {place: tile for row in rows for tile in row.tiles for place in tile.places}
    pairs = {
        (at.get(parent), at[child])
        for parent, own in pyramid.edges.items()
        if parent in at or not parent[0]
        for child, _ in own
        if child in at
    }
    found = {
        (None if row < 0 else rows[row].tiles[column], rows[to].tiles[place])
        for strand in strands_of(pyramid, rows)
        for row, column in strand.parents
        for to, place, _ in strand.children
    }
    assert found == pairs


@pytest.mark.parametrize(("format", "counts"), [("group", [1, 2, 1, 1, 1]), ("layer", [1] * 5)])
def test_tiles_can_show_groups_or_layers(format, counts):
    pyramid = made()
    rows = rows_of(pyramid, format)
    assert [len(row.tiles) for row in rows] == counts
    drawing = arrange(pyramid, FRAMES, "sit", format=format)
    texts = " ".join(text.get_text() for text in drawing.figure.axes[0].texts)
    assert ("group 1" in texts) == (format == "group")
    volume = pyramid.tube("stem")
    np.testing.assert_allclose(drawing.tiles[-1].volume, volume, atol=1e-4)
    if format == "group":
        wanted = pyramid.tube("block2/conv1", group=0)
        np.testing.assert_allclose(drawing.tiles[4].volume, wanted, atol=1e-4)


def test_kernels_can_be_drawn_by_their_children():
    pyramid = made("feature")
    drawing = arrange(pyramid, FRAMES, "sit", draw="children")
    tile = rows_of(pyramid)[0].tiles[0]
    wanted = pyramid.children_tube("block2/conv2", tile.kernels[0])
    np.testing.assert_allclose(drawing.tiles[3].volume, wanted, atol=1e-4)
    last = rows_of(pyramid)[-1].tiles[-1]
    own = pyramid.tube("stem", last.kernels[0])
    np.testing.assert_allclose(drawing.tiles[-1].volume, own, atol=1e-4)
    with pytest.raises(ValueError, match="draw = 'children' needs format = 'kernel'"):
        draw_pyramid(pyramid, FRAMES, "sit", format="layer", draw="children")
    with pytest.raises(ValueError, match="format = 'channel': must be one of"):
        draw_pyramid(pyramid, FRAMES, "sit", format="channel")
    with pytest.raises(ValueError, match="the tube has 2 frames, the clip 6"):
        draw_pyramid(pyramid, FRAMES, "sit", np.zeros((2, 40, 60)))


def test_an_empty_pyramid_says_so():
    empty = Pyramid(4, "layer", 1.0, 2, SIZE, (), {})
    texts = [text.get_text() for text in draw_pyramid(empty, FRAMES, "sit").axes[0].texts]
    assert "no kernel was kept" in texts


def test_only_tiles_are_animated():
    pyramid = made()
    tube = np.linspace(0, 1, np.prod(SIZE), dtype=np.float32).reshape(SIZE)
    played = play_pyramid(pyramid, FRAMES, "sit", tube)
    drawing = arrange(pyramid, FRAMES, "sit", tube, moving=True)
    height, width = played.shape[1:3]
    scale = width / drawing.layout.width
    assert played.shape[0] == 6
    assert len(drawing.tiles) == 1 + 5 + 6 + 6 + 6 + 7
    fixed = np.ones((height, width), bool)
    all_tiles = [*drawing.layout.apex.tiles, *(t for b in drawing.layout.bands for t in b.tiles)]
    for tile, box in zip(drawing.tiles, all_tiles, strict=True):
        left, right = round(box.left * scale), round(box.right * scale)
        top, bottom = round(box.top * scale), round(box.bottom * scale)
        fixed[top - 2 : bottom + 3, left - 2 : right + 3] = False
        for time in (0, 4):
            shown = played[time, top + 2 : bottom - 2, left + 2 : right - 2].astype(float)
            # Tiles differ in size from their frames, so mean colours are compared.
            wanted = tile.at(time).mean((0, 1))
            np.testing.assert_allclose(shown.mean((0, 1)), wanted, atol=6)
    clock = drawing.layout.apex
    fixed[round(clock.tiles[0].bottom * scale) : round(clock.bottom * scale)] = False
    assert (played[1:, fixed] == played[:1, fixed]).all()
    assert peak(tube) == 5
