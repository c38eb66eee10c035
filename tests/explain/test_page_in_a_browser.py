"""Tests the page in headless Chromium, operated as a reader would."""

import dataclasses
import json
import socket

import cv2
import numpy as np
import pytest

from tests.explain.page_samples import (
    DESK,
    FRAMES,
    OPENED,
    PANEL,
    PHONE,
    TILE,
    VOLUME,
    heat_of,
    layer,
    pixels,
)
from vidjax.explain.back_step import normalize
from vidjax.explain.colours import overlay
from vidjax.explain.html_page import Panel, embed, page
from vidjax.explain.pyramid import Pyramid
from vidjax.explain.upsampling import upsample

EVIL = '<img src=x onerror="window.harm=1"></script><script>window.harm=1</script>\'\u2028'
TURNED = "a\u202egnp.exe"


def test_the_script_enlarges_heat_as_python_does(shown):
    rng = np.random.default_rng(5)
    frames = np.zeros((7, 40, 56, 3), np.uint8)
    sizes = [(4, 7, 5), (1, 1, 1), (2, 1, 9), (7, 40, 40), (1, 4, 4)]
    volumes = {str(size): rng.random(size, np.float32) for size in sizes}
    tab = shown(Panel("x", frames, volumes[str(sizes[0])], heats=volumes))
    for place, volume in enumerate(volumes.values()):
        whole = upsample(volume, (7, 80, 112)).clip(0, 1)
        for frame in (0, 3, 6):
            given = f"panels[0].given.heats[{place}].heat"
            found = heat_of(tab, given, frame / 6, 112, 80)
            assert abs(found - whole[frame]).max() < 1.5 / 255


@pytest.mark.parametrize("colours", ["inferno", "turbo", "jet"])
def test_the_image_equals_the_frame_with_heat_drawn_in_python(shown, colours):
    frames = np.zeros((3, 40, 56, 3), np.uint8) + np.uint8(100)
    volume = np.random.default_rng(6).random((4, 4, 5), np.float32)
    tab = shown(Panel("x", frames, volume))
    tab.value(f"chooseColours('{colours}')")
    tab.value("goTo(2)")
    wanted = overlay(frames.repeat(8, 1).repeat(8, 2), upsample(volume, (3, 320, 448)), colours)[2]
    found = pixels(tab, "document.querySelector('.main')")
    assert found.shape == wanted.shape
    difference = abs(found.astype(int) - wanted)
    assert difference.mean() < 2
    assert difference.max() < 12


def test_a_difference_is_red_for_one_class_and_blue_for_the_other(shown):
    frames = np.zeros((3, 40, 56, 3), np.uint8) + np.uint8(100)
    signed = np.zeros((1, 2, 3), np.float32)
    signed[0, :, 0], signed[0, :, 2] = 1, -1
    tab = shown(Panel("x", frames, signed))
    found = pixels(tab, "document.querySelector('.main')").astype(int)
    wanted = overlay(frames.repeat(8, 1).repeat(8, 2), upsample(signed, (3, 320, 448)), signed=True)
    assert abs(found - wanted[1]).mean() < 2
    assert found[160, 2, 0] > found[160, 2, 2] + 50
    assert found[160, -3, 2] > found[160, -3, 0] + 50


def test_the_slider_and_the_buttons_move_the_video(shown):
    tab = shown(PANEL)
    tab.value(
        "(element('opacity').value = 0, element('opacity').dispatchEvent(new Event('input')))"
    )
    tab.value("element('time').focus()")
    tab.value("goTo(0)")
    for frame in range(3):
        tab.until(f"element('now').textContent.startsWith('frame {frame + 1} of 6')")
        found = pixels(tab, "document.querySelector('.main')")[::14, ::14]
        wanted = cv2.resize(FRAMES[frame], (448, 299), interpolation=cv2.INTER_LINEAR)[::14, ::14]
        assert abs(found.astype(int) - wanted).mean() < 4
        tab.press("ArrowRight")
    tab.click("element('play')")
    assert tab.value("element('play').getAttribute('aria-label')") == "pause"
    tab.until("shared.frame === 5")
    tab.until("shared.frame === 1")
    tab.click("element('play')")
    assert tab.value("timer") is None


def test_clips_of_different_lengths_end_together(shown):
    short = dataclasses.replace(PANEL, frames=FRAMES[:3], pyramid=None)
    tab = shown(PANEL, short)
    tab.value("goTo(5)")
    assert tab.value("panels.map(panel => frameOf(panel.clip))") == [5, 2]
    tab.value("goTo(0)")
    assert tab.value("panels.map(panel => frameOf(panel.clip))") == [0, 0]


def test_the_curve_is_the_spatial_mean_and_seeks_on_click(shown):
    volume = normalize(
        upsample(np.random.default_rng(7).random((6, 4, 4), np.float32), (6, 64, 64))
    )
    tab = shown(dataclasses.replace(PANEL, tube=volume, heats={}))
    found = tab.value("panels[0].shown.heat.means")
    assert np.allclose(found, volume.mean((1, 2)), atol=0.01)
    points = tab.value(
        "document.querySelector('.over-time').getAttribute('d').slice(1).split('L')"
        ".map(point => point.split(' ').map(Number))"
    )
    assert np.allclose([x for x, _ in points], np.linspace(0, 100, 6), atol=0.01)
    # y grows downwards: the smallest y is the frame with the largest mean.
    assert np.argmin([y for _, y in points]) == np.argmax(found)
    tab.click("document.querySelector('.curve svg')", across=0.81)
    assert tab.value("shared.frame") == 4
    assert float(tab.value("document.querySelector('.now').getAttribute('x1')")) == 80


def test_a_map_can_be_selected(shown):
    tab = shown(PANEL)
    caption = "document.querySelector('.caption').textContent"
    assert tab.value(caption) == "Saliency Tube2x3x4 cells"
    before = pixels(tab, "document.querySelector('.main')")
    tab.value("goTo(0)")
    tab.click("document.querySelectorAll('.gallery .tile')[1]")
    assert tab.value(caption) == "Grad-CAM"
    pressed = "[...document.querySelectorAll('.gallery [aria-pressed=true]')].map(n => n.innerText)"
    assert tab.value(pressed) == ["Grad-CAM"]
    assert (pixels(tab, "document.querySelector('.main')") != before).any()
    tab.click("document.querySelectorAll('.gallery')[1].querySelectorAll('.tile')[0]")
    assert tab.value(caption) == "layer1"
    assert tab.value("[...document.querySelectorAll('.scores li')].map(n => n.innerText)") == [
        "sit down\n90.0 %",
        "stand up\n8.0 %",
    ]
    facts = dict(
        tab.value("[...document.querySelectorAll('.facts div')].map(n => n.innerText.split('\\n'))")
    )
    assert (facts["network"], facts["theta"]) == ("r3d_18", "0.6")


def test_focusable_elements_have_a_name(shown):
    tab = shown(PANEL)
    tab.click(TILE.format(1, 0))
    nodes = tab.ask("Accessibility.getFullAXTree")["nodes"]
    focusable = [
        node
        for node in nodes
        for own in node.get("properties", ())
        if own["name"] == "focusable"
        and own["value"]["value"]
        and node["role"]["value"] != "RootWebArea"
    ]
    assert len(focusable) > 20
    assert [node for node in focusable if not node["name"]["value"].strip()] == []
    roles = {node["role"]["value"] for node in focusable}
    assert {"slider", "button", "combobox"} <= roles


def test_names_are_shown_as_text(shown):
    evil = layer(EVIL, 1, [1, 3])
    edges = {("", 0): (((EVIL, 1), 1.0), ((EVIL, 3), 0.7))}
    tab = shown(
        Panel(
            EVIL,
            FRAMES,
            VOLUME,
            Pyramid(0, "layer", 0.6, 1, (6, 32, 48), (evil,), edges),
            stages={EVIL: VOLUME},
            heats={EVIL: 1 - VOLUME, TURNED: VOLUME},
            captions={EVIL: EVIL},
            scores=[(EVIL, 0.5)],
            facts={EVIL: EVIL},
        ),
        title=EVIL,
    )
    tab.click(TILE.format(1, 0))
    assert tab.value("window.harm") is None
    assert (
        tab.value("document.querySelectorAll('img, script:not(#data, #data + script)').length") == 0
    )
    seen = EVIL.replace("\u2028", "\\u2028")
    assert tab.value("document.title") == seen
    last = ".facts :last-child"
    for place in ("h1", "h2", ".layer .name", ".scores .name", f"{last} dt", f"{last} dd"):
        assert tab.value(f"document.querySelector('{place}').textContent") == seen
    assert (
        tab.value("document.querySelectorAll('.gallery .name')[1].textContent") == "a\\u202egnp.exe"
    )


def test_injected_scripts_and_requests_are_blocked(shown):
    tab = shown(PANEL)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        tab.value(f"document.body.insertAdjacentHTML('beforeend', {json.dumps(EVIL)})")
        tab.value(
            f"document.body.insertAdjacentHTML('beforeend', '<img src={address}>"
            f"<link rel=stylesheet href={address}><object data={address}></object>')"
        )
        assert tab.value(f"fetch('{address}').then(() => 'sent', () => 'refused')") == "refused"
        with pytest.raises(TimeoutError):
            server.accept()
    assert tab.value("window.harm") is None
    assert "Content Security Policy" in str(tab.complaints)
    tab.complaints.clear()
    tab.requests.clear()


@pytest.mark.parametrize("panels", [1, 2])
def test_phones_need_no_horizontal_scrolling(shown, panels):
    long = dataclasses.replace(
        PANEL,
        title="a_very_long_name_of_a_class_without_any_place_to_break_it_at_all",
        scores=[("another_very_long_name_of_a_class_without_any_place_to_break_it", 0.5)],
        facts={"checkpoint": "/somewhere/deep/in/a/very/long/path/to/some/run/of/yesterday"},
    )
    tab = shown(*[long] * panels, title=f"{'clip' * 40}.mp4", window=PHONE)
    wide = (
        "[document.documentElement.scrollWidth, "
        "...[...document.querySelectorAll('main *, header *, .bar *')]"
        ".filter(n => n.getClientRects().length && !n.closest('.links, .kernel'))"
        ".map(n => n.getBoundingClientRect().right)].filter(x => x > 360.5)"
    )
    assert tab.value("innerWidth") == 360
    assert tab.value(wide) == []
    tab.click(TILE.format(2, 0))
    assert tab.value(OPENED).startswith("kernel 10")
    assert tab.value(wide) == []
    # The video stays in view, and so does the opened kernel.
    seen = (
        "n => { const box = n.getBoundingClientRect(); "
        "return box.top >= 0 && box.bottom < innerHeight; }"
    )
    assert tab.value(f"({seen})(document.querySelector('.main'))")
    assert tab.value(f"({seen})({TILE.format(2, 0)})")


def luminance(colour):
    """Returns the relative luminance of `rgb(r, g, b)` (WCAG 2.1)."""
    parts = np.array([float(part) for part in colour[4:-1].split(",")]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("dark", [False, True])
def test_text_has_enough_contrast_in_light_and_dark_mode(shown, dark):
    tab = shown(PANEL, dark=dark)
    ground = luminance(tab.value("getComputedStyle(document.body).backgroundColor"))
    assert (ground < 0.1) == dark
    for place in ("body", ".legend", ".kept", ".layer .name", ".note", "h3", ".facts dt"):
        text = luminance(tab.value(f"getComputedStyle(document.querySelector('{place}')).color"))
        low, high = sorted((text, ground))
        assert (high + 0.05) / (low + 0.05) >= 4.5


def test_single_images_and_empty_pyramids_are_shown(shown):
    empty = Pyramid(0, "layer", 0.6, 1, (1, 32, 48), (), {})
    tab = shown(Panel("x", FRAMES[:1], np.zeros((1, 4, 4)), empty))
    assert tab.value("element('time').disabled && element('play').disabled")
    assert tab.value("document.querySelector('.curve').hidden")
    assert tab.value("document.querySelectorAll('.pyramid .tile').length") == 1
    found = pixels(tab, "document.querySelector('.main')")[::14, ::14]
    wanted = cv2.resize(FRAMES[0], (448, 299), interpolation=cv2.INTER_LINEAR)[::14, ::14]
    assert abs(found.astype(int) - wanted).mean() < 4


def test_the_page_works_in_a_frame(shown):
    def framed(text):
        return (
            f"<!doctype html><html><body>{embed(text)}<script>"
            "const watch = setInterval(() => { const own = document.querySelector('iframe')"
            ".contentDocument.documentElement; if (own?.dataset.ready) {"
            "document.documentElement.dataset.ready = 'yes'; clearInterval(watch); } }, 20);"
            "</script></body></html>"
        )

    tab = shown(PANEL, wrap=framed)
    inside = "document.querySelector('iframe').contentDocument"
    assert tab.value(f"{inside}.querySelectorAll('.pyramid .tile').length") > 5
    assert tab.value(f"{inside}.querySelector('h1').textContent") == "clip.mp4"


def test_a_damaged_page_shows_an_error(chromium, tmp_path):
    file = tmp_path / "page.html"
    text = page("clip.mp4", [PANEL], 8)
    frame = text.split('"frames": ["')[1][:2000]
    file.write_text(text.replace(frame, "A" * len(frame)), encoding="utf-8")
    with pytest.raises(AssertionError):
        chromium.show(file, *DESK, patience=1)
    told = chromium.value("document.querySelector('main').textContent")
    assert told == "This page cannot be shown: a frame cannot be read: this file is damaged"
