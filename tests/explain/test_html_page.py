"""Tests the page's data: its content, its size, and what it refuses."""

import base64
import dataclasses
import json
import re

import cv2
import numpy as np
import pytest

from tests.explain.page_samples import FRAMES, PANEL, PYRAMID, VOLUME, layer
from vidjax.explain.html_page import TUBE, embed, page
from vidjax.explain.page_encoding import CLIP_BYTES, clip_text, coarser, heat_text
from vidjax.explain.page_pyramid import FINENESS, fineness, pyramid_data
from vidjax.explain.pyramid import Pyramid
from vidjax.explain.upsampling import upsample


def data_of(text):
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_the_page_is_one_file_without_urls():
    text = page("my <clip>.mp4", [PANEL], 7.5)
    assert not re.search(r"""(src|href)=["']?(https?:|//)""", text)
    assert "@" not in re.sub(r"@media|@import", "", text.split('id="data">')[0])
    assert text.count("<script") == text.count("</script>") == 2
    assert data_of(text)["title"] == "my <clip>.mp4"


def test_frames_and_heat_equal_the_panels():
    data = data_of(page("clip", [PANEL], 7.5))
    (clip,) = data["clips"]
    assert len(clip["frames"]) == len(FRAMES)
    frame = cv2.imdecode(np.frombuffer(base64.b64decode(clip["frames"][0]), np.uint8), 1)
    assert frame.shape == FRAMES[0].shape
    (panel,) = data["panels"]
    assert [own["name"] for own in panel["heats"]] == [TUBE, "Grad-CAM"]
    assert [own["caption"] for own in panel["heats"]] == ["2x3x4 cells", ""]
    assert [own["name"] for own in panel["stages"]] == ["layer1", "layer2"]
    heat = panel["heats"][0]["heat"]
    cells = np.frombuffer(base64.b64decode(heat["data"]), np.uint8).reshape(heat["size"])
    assert abs(cells / 255 - VOLUME).max() <= 0.5 / 255 + 1e-6


def test_a_map_equal_to_the_tube_refers_to_it():
    heats = {"Grad-CAM": 1 - VOLUME, "my tube": VOLUME.copy()}
    (panel,) = data_of(page("x", [dataclasses.replace(PANEL, heats=heats)], 4))["panels"]
    assert [own["name"] for own in panel["heats"]] == ["Grad-CAM", "my tube"]
    assert panel["first"] == 1


def test_panels_of_one_clip_share_its_frames():
    other = dataclasses.replace(PANEL, frames=FRAMES[::-1], pyramid=None)
    data = data_of(page("x", [PANEL, other, dataclasses.replace(PANEL, frames=FRAMES.copy())], 4))
    assert [panel["clip"] for panel in data["panels"]] == [0, 1, 0]
    assert len(data["clips"]) == 2


def test_all_kernels_are_included_with_their_children():
    data = pyramid_data(PYRAMID)
    for row, own in zip(data["layers"], PYRAMID.layers, strict=True):
        assert sorted(row["kernels"]) == own.kernels.tolist()
        assert row["weights"] == sorted(row["weights"], reverse=True)
        assert len(row.get("heats", [])) == (0 if own.maps is None else len(own.kernels))
    names = [own.name for own in PYRAMID.layers]
    for row, own in enumerate(data["layers"]):
        for kernel, number in zip(own["kernels"], own["lists"], strict=True):
            found = {
                (names[below], data["layers"][below]["kernels"][place], weight)
                for below, place, weight in data["lists"][number]
            }
            edges = PYRAMID.edges.get((names[row], kernel), ())
            assert found == {(*to, round(weight, 3)) for to, weight in edges}
    # Kernels with equal lists share one; one list is for kernels that rely on nothing.
    assert len(data["lists"]) == len(set(PYRAMID.edges.values())) + 1


def test_layers_of_one_sum_share_a_row():
    main, short, low = (
        layer("conv2", 1, [4, 6]),
        layer("shortcut", 1, [4, 6]),
        layer("x", 2, [0, 1]),
    )
    edges = {
        ("", 0): ((("conv2", 4), 0.9), (("shortcut", 4), 0.9), (("conv2", 6), 0.7)),
        ("conv2", 4): ((("x", 0), 0.8),),
        ("shortcut", 4): ((("x", 0), 0.95), (("x", 1), 0.6)),
    }
    sums = (("conv2", "shortcut"),)
    data = pyramid_data(Pyramid(0, "layer", 0.6, 2, (6, 32, 48), (main, short, low), edges, sums))
    assert [row["name"] for row in data["layers"]] == ["conv2 + shortcut", "x"]
    assert data["lists"][data["root"]] == ((0, 0, 0.9), (0, 1, 0.7))
    # Each link appears once, with its largest weight.
    children = data["lists"][data["layers"][0]["lists"][0]]
    assert sorted(children) == [(1, 0, 0.95), (1, 1, 0.6)]


def test_a_pyramid_states_its_theta_and_the_panel_can_add_text():
    panel = dataclasses.replace(PANEL, facts={"levels": "two", "network": "i3d"})
    facts = dict(data_of(page("x", [panel], 4))["panels"][0]["facts"])
    assert facts["theta"] == "0.6"
    assert facts["lists"] == "layer"
    assert facts["kernels kept"] == "43 in 3 layers"
    assert (facts["levels"], facts["network"]) == ("two", "i3d")


def test_the_heat_of_many_kernels_is_coarser_to_keep_its_budget():
    rng = np.random.default_rng(1)
    maps = rng.random((12, 16, 40, 40), np.float32)
    own = dataclasses.replace(layer("wide", 1, range(12)), maps=maps)
    many = Pyramid(0, "layer", 0.6, 1, (16, 112, 112), (own,), {})
    for budget in (10_000_000, 120_000, 12_000, 2_400):
        data = pyramid_data(many, budget)
        sizes = {tuple(heat["size"]) for heat in data["layers"][0]["heats"]}
        assert sizes == {fineness(many, budget)}
        raw = sum(len(base64.b64decode(heat["data"])) for heat in data["layers"][0]["heats"])
        assert raw <= budget
        assert data["layers"][0]["heats"][0]["cells"] == (16, 40, 40)
    assert fineness(many, 1) == FINENESS[-1]


def test_a_long_clip_is_reduced_to_a_sendable_size():
    rng = np.random.default_rng(2)
    rough = rng.integers(0, 255, (12, 32, 48, 3), np.uint8).repeat(12, 1).repeat(12, 2)
    coded = [base64.b64decode(frame) for frame in clip_text(rough)]
    assert len(coded) == 12
    assert sum(map(len, coded)) <= CLIP_BYTES
    height, width, _ = cv2.imdecode(np.frombuffer(coded[0], np.uint8), 1).shape
    assert max(height, width) <= 448
    assert abs(width / height - 1.5) < 0.01


def test_coarser_heat_covers_the_same_volume():
    smooth = upsample(np.random.default_rng(3).random((4, 6, 5), np.float32), (24, 96, 96))
    small = coarser(smooth, (32, 28, 28))
    assert small.shape == (24, 28, 28)
    back = upsample(small, smooth.shape)
    spread = smooth.max() - smooth.min()
    assert abs(back - smooth).max() < 0.03 * spread
    assert abs(back - smooth).mean() < 0.003 * spread


def test_a_difference_of_two_classes_keeps_its_sign():
    signed = np.array([[[-1, 0, 0.5]]], np.float32)
    coded = heat_text(signed, (9, 9, 9), "difference")
    assert coded["signed"]
    cells = np.frombuffer(base64.b64decode(coded["data"]), np.uint8)
    assert np.allclose(cells / 255 * 2 - 1, signed.ravel(), atol=1 / 255)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": FRAMES[..., :1]}, r"pass a clip \[T, H, W, 3\]"),
        ({"frames": FRAMES.astype(np.float32)}, "type float32"),
        ({"tube": VOLUME[0]}, f"heatmap '{TUBE}'"),
        ({"tube": 2 * VOLUME}, "from 0 to 2: must be in"),
        ({"heats": {"RISE": np.full_like(VOLUME, np.nan)}}, "heatmap 'RISE' contains numbers"),
        ({"scores": [("sit", 87.0)]}, "score of 'sit' = 87.0"),
    ],
)
def test_panels_that_cannot_be_shown_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        page("x", [dataclasses.replace(PANEL, **change)], 4)


def test_a_zero_rate_and_an_empty_page_are_refused():
    with pytest.raises(ValueError, match="fps = 0: must be a number above 0"):
        page("x", [PANEL], 0)
    with pytest.raises(ValueError, match="a page needs at least one panel"):
        page("x", [], 4)


def test_a_notebook_shows_the_page_in_a_frame():
    whole = embed(page("x", [PANEL], 4), height=300)
    assert whole.startswith("<div><iframe srcdoc=")
    assert "<script" not in whole
