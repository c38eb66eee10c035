"""Tests the page's pyramid in headless Chromium, operated as a reader would."""

import dataclasses

import numpy as np

from tests.explain.page_samples import OPENED, PANEL, PYRAMID, TILE, heat_of, layer
from vidjax.explain.back_step import normalize
from vidjax.explain.pyramid import Pyramid
from vidjax.explain.upsampling import upsample

MORE = "document.querySelectorAll('.level')[2].querySelector('.more')"


def test_an_opened_kernel_shows_heat_weight_parents_and_children(shown):
    tab = shown(PANEL)
    # Kernel 1 is the strongest of its layer, kernel 3 the second.
    tab.click(TILE.format(1, 1))
    assert tab.value(OPENED) == "kernel 3 of conv3"
    told = tab.value("document.querySelector('.kernel').innerText")
    assert "weight 0.60 · 2 connections lead to it" in told
    chips = (
        "[...document.querySelectorAll('.relatives')]"
        ".map(n => [...n.querySelectorAll('.chip')].map(c => +c.innerText))"
    )
    parents, children = tab.value(chips)
    assert (parents, sorted(children)) == ([], list(range(10, 30)))
    assert "the class" in tab.value("document.querySelector('.relatives').innerText")
    for frame in (0, 2, 5):
        found = heat_of(tab, "panels[0].shown.heat", frame / 5, 48, 32)
        assert abs(found - PYRAMID.tube("conv3", 3)[frame]).max() < 0.04
    # A child beyond the visible part of its row is scrolled into view.
    chip = "[...document.querySelectorAll('.chip')].find(chip => chip.innerText === '29')"
    tab.click(chip)
    assert tab.value(OPENED) == "kernel 29 of conv2"
    assert tab.value("document.activeElement.getAttribute('aria-pressed')") == "true"
    parents, children = tab.value(chips)
    assert (parents, children) == ([3], [])
    tab.press("Escape")
    assert tab.value(OPENED) == "Saliency Tube"
    assert tab.value("document.querySelector('.kernel').hidden")
    tab.click("document.querySelector('.layer')")
    assert tab.value(OPENED) == "conv3"
    found = heat_of(tab, "panels[0].shown.heat", 0.4, 48, 32)
    assert abs(found - PYRAMID.tube("conv3")[2]).max() < 0.04


def test_heat_is_rescaled_after_enlarging(shown):
    tab = shown(PANEL)
    own = PYRAMID.layer("conv2")
    peaks = [upsample(normalize(cells), PYRAMID.size).max() for cells in own.maps]
    # Splines overshoot; otherwise the order would not matter.
    chosen = int(np.argmax(peaks))
    assert peaks[chosen] > 1.1
    column = tab.value("data.panels[0].pyramid.layers[1].kernels").index(own.kernels[chosen])
    whole = PYRAMID.tube("conv2", own.kernels[chosen])
    for frame in (0, 2, 5):
        heat = f"data.panels[0].pyramid.layers[1].heats[{column}]"
        found = heat_of(tab, heat, frame / 5, 48, 32)
        assert abs(found - whole[frame]).max() < 0.04


def test_a_kernel_without_location_is_labelled(shown):
    tab = shown(PANEL)
    tab.click(TILE.format(3, 0))
    assert "no location in space" in tab.value("document.querySelector('.caption').innerText")
    assert tab.value("document.querySelector('.curve').hidden")
    assert tab.value("document.querySelectorAll('.layer')[2].disabled")


def test_lines_join_kernels_and_their_children(shown):
    tab = shown(PANEL)
    faint = (
        "[...document.querySelectorAll('.links path')]"
        ".map(p => p.getAttribute('d').split('M').length - 1)"
    )
    tab.click(MORE)
    # Lines from the class, kernel 3 and kernel 1; kernels 1 and 49 rely on the one kernel of
    # `dense`.
    assert sum(tab.value(faint)) == 2 + 20 + 5 + 1 + 1
    tab.click(TILE.format(1, 0))
    ends = tab.value(
        "[...document.querySelectorAll('.links .lit')].map(p => { const box = p.ownerSVGElement"
        ".getBoundingClientRect(); return [0, p.getTotalLength()].map(at => { const end = "
        "p.getPointAtLength(at); return [end.x + box.x, end.y + box.y]; }); })"
    )
    assert len(ends) == 1 + 6
    boxes = tab.value(
        "[...document.querySelectorAll('.pyramid .tile.related')]"
        ".map(n => n.getBoundingClientRect().toJSON())"
    )
    assert len(boxes) == 1 + 1 + 6
    for begin, end in ends:
        for x, y in (begin, end):
            near = [
                own
                for own in boxes
                if abs(x - own["x"] - own["width"] / 2) < 1
                and min(abs(y - own["top"]), abs(y - own["bottom"])) < 1
            ]
            assert len(near) == 1
        assert begin[1] < end[1]


def test_rows_are_centred_and_heat_is_decoded_lazily(shown):
    many = 600
    kernels = list(range(many))
    edges = {("", 0): tuple((("wide", kernel), 1.0) for kernel in kernels)}
    wide = Pyramid(0, "layer", 0.6, 1, (6, 32, 48), (layer("wide", 1, kernels),), edges)
    tab = shown(dataclasses.replace(PANEL, pyramid=wide))
    decoded = "data.panels[0].pyramid.layers[0].heats.filter(own => own.spline).length"
    tiles = "document.querySelectorAll('.level')[1].querySelectorAll('.tile').length"
    assert tab.value(tiles) == 4
    tab.until(f"{decoded} >= 4")
    assert tab.value(decoded) == 4
    middles = tab.value(
        "[...document.querySelectorAll('.level .tiles')].map(line => { const boxes = "
        "[...line.children].map(n => n.getBoundingClientRect()); "
        "return (boxes[0].left + boxes.at(-1).right) / 2; })"
    )
    assert max(middles) - min(middles) < 2
    more = "document.querySelector('.more')"
    assert tab.value(f"{more}.innerText") == "+596"
    tab.click(more)
    assert tab.value(tiles) == many
    tab.until(f"{decoded} > 4")
    assert tab.value(decoded) < many
    tab.click(more)
    assert tab.value(tiles) == 4


def test_kernels_can_be_opened_and_closed_by_keyboard(shown):
    tab = shown(PANEL)
    tab.value("document.querySelector('.pyramid .tile').focus()")
    tab.press("Tab")
    assert tab.value("document.activeElement.className") == "layer"
    tab.press("Tab")
    tab.press("ArrowRight")
    tab.press("Enter")
    assert tab.value(OPENED) == "kernel 3 of conv3"
    tab.press("ArrowDown")
    tab.press("ArrowLeft")
    tab.press("Enter")
    assert tab.value(OPENED) == "kernel 10 of conv2"
    tab.press("Escape")
    assert tab.value(OPENED) == "Saliency Tube"
