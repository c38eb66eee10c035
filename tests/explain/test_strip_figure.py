"""Tests the figure of kernels as strips of three frames: its content and positions."""

import numpy as np
import pytest

from tests.explain.test_pyramid_figure import FRAMES, SIZE, boxes, made
from vidjax.explain.colours import overlay
from vidjax.explain.kernel_strips import kernel_cell, shown_kernels
from vidjax.explain.pyramid import Pyramid
from vidjax.explain.pyramid_figure import thirds
from vidjax.explain.pyramid_layout import sum_lines
from vidjax.explain.strip_figure import Cell, Strip, draw_strips

OTHER = FRAMES[:, ::-1]
LONG = "runs/of/a/very/long/name/that/goes/on/i3d_kinetics400_hassony2.pth"


def texts_of(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def grid(each=1, **options):
    one, other = made("layer"), made("feature")
    cells = [
        [kernel_cell(pyramid, frames, "sit (90.0%)", each=each, **options) for frames in columns]
        for pyramid, columns in ((one, (FRAMES, OTHER)), (other, (FRAMES, FRAMES)))
    ]
    rows = [f"srtg_r2plus1d_34\n{LONG}\nθ = 0.6", "r3d_50\nθ = 0.55"]
    return cells, draw_strips(cells, rows, ["a.mp4", "b.mp4"], "below")


def test_rows_are_networks_and_columns_videos_with_three_frames_per_kernel():
    cells, figure = grid()
    images = figure.axes[0].images
    # Five levels in each of four cells, and the clip if the cell above shows another one.
    assert len(images) == 3 * (4 * 5 + 3)
    lefts = {round(image.get_window_extent().x0) for image in images}
    assert len(lefts) == 6
    for image in images:
        box = image.get_window_extent()
        assert box.width / box.height == pytest.approx(60 / 40, rel=0.01)
    first = cells[0][0].lines[0][0]
    shown = [image.get_array() for image in images[3:6]]
    for time, picture in zip(thirds(SIZE[0]), shown, strict=True):
        wanted = overlay(FRAMES[time], first.volume[time])
        np.testing.assert_allclose(picture.astype(int), wanted, atol=1)
    texts = texts_of(figure)
    assert texts.count("frames 1, 3, 5 of 6") == 3
    assert {"a.mp4", "b.mp4", "srtg_r2plus1d_34", "r3d_50", "below"} <= set(texts)


def test_texts_cover_nothing():
    _, figure = grid(each=2)
    figure.canvas.draw()
    axes = figure.axes[0]
    closed = [box for box in boxes(axes, "texts") if box.width > 1]
    for number, one in enumerate(closed):
        assert one.x0 >= 0
        assert one.x1 <= figure.bbox.width
        for other in [*closed[number + 1 :], *boxes(axes, "images")]:
            wide = min(one.x1, other.x1) - max(one.x0, other.x0)
            high = min(one.y1, other.y1) - max(one.y0, other.y0)
            assert not (wide > 1 and high > 1), (one, other)


@pytest.mark.parametrize(
    ("format", "said"),
    [
        ("kernel", "block1/conv2 + shortcut/conv\nkernel 0 · 1.00 · 2x3x5 cells"),
        ("group", "block2/conv1\ngroup 0 · 1.00 · 2x3x5 cells"),
        ("layer", "block2/conv1\n12 kernels · 2x3x5 cells"),
    ],
)
def test_captions_say_layer_kernels_and_cells(format, said):
    cell = kernel_cell(made(), FRAMES, "sit", each=1, format=format)
    assert said in texts_of(draw_strips([[cell]], ["r3d"], ["a.mp4"], ""))
    listed = list(shown_kernels(made(), format, 1))
    assert [level for level, _ in listed] == [1, 2, 3, 4, 5]


def test_the_names_of_added_layers_are_wrapped_if_they_are_long():
    names = ("layer3/of_a_long_name/block1/conv2", "layer3/of_a_long_name/block1/shortcut/conv")
    strip = Strip(" ".join(sum_lines(names)), "kernel 0", None)
    figure = draw_strips([[Cell("sit", FRAMES, ((strip,), (strip,)))]], ["r3d"], ["a.mp4"], "")
    wanted = "layer3/of_a_long_name/block1/conv2\n+ shortcut/conv\nkernel 0"
    assert texts_of(figure).count(wanted) == 2
    figure.canvas.draw()
    (_, upper, lower) = (box for box in boxes(figure.axes[0], "caption"))
    second = boxes(figure.axes[0], "images")[6]
    assert second.y1 < upper.y0
    assert lower.y0 > 0


def test_a_long_name_of_weights_is_wrapped_at_its_hyphens():
    cell = kernel_cell(made(), FRAMES, "sit", each=1)
    figure = draw_strips([[cell]], ["i3d\ni3d:kinetics400-imagenet-hassony2\nθ = 0.65"], ["a"], "")
    assert "i3d:kinetics400-\nimagenet-hassony2\nθ = 0.65" in texts_of(figure)


def test_a_network_without_kept_kernels_shows_its_clip_with_a_note():
    empty = Pyramid(4, "layer", 1.0, 2, SIZE, (), {})
    figure = draw_strips([[kernel_cell(empty, FRAMES, "sit")]], ["r3d"], ["a.mp4"], "")
    assert "no kernel was kept" in texts_of(figure)
    assert len(figure.axes[0].images) == 3
