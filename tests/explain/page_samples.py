"""A small panel that uses every feature of a page; the tests of the page share it."""

import base64

import cv2
import numpy as np

from vidjax.explain.class_feature_pyramids import KeptLayer, Pyramid
from vidjax.explain.html_page import TUBE, Panel

DESK, PHONE = (1280, 900), (360, 740)
# The large view, and tiles by level and place. Level 0 is the class, level 1 has kernels 1 and 3,
# level 2 has kernels 10 to 49.
OPENED = "document.querySelector('.stage .caption .name').textContent"
TILE = "document.querySelectorAll('.level')[{}].querySelectorAll('.tile')[{}]"

RNG = np.random.default_rng(0)
SIZE = (6, 32, 48)
# Smooth, so that JPEG preserves it.
FRAMES = RNG.integers(0, 255, (6, 2, 3, 3), np.uint8).repeat(16, 1).repeat(16, 2)
VOLUME = np.linspace(0, 1, 24, dtype=np.float32).reshape(2, 3, 4)


def layer(name, level, kernels):
    kernels = np.array(kernels)
    count = len(kernels)
    weights = np.linspace(1, 0.6, count, dtype=np.float32)
    maps = RNG.random((count, 2, 3, 5), np.float32)
    return KeptLayer(name, level, kernels, weights, np.arange(1, count + 1), maps)


def _pyramid():
    top, low = layer("conv3", 1, [1, 3]), layer("conv2", 2, range(10, 50))
    first = KeptLayer("dense", 3, np.array([7]), np.ones(1, np.float32), np.ones(1, int))
    shared = tuple((("conv2", kernel), 0.6 + kernel / 200) for kernel in range(10, 30))
    edges = {
        ("", 4): ((("conv3", 3), 1.0), (("conv3", 1), 0.6)),
        ("conv3", 3): shared,
        ("conv3", 1): (*shared[:5], (("dense", 7), 0.9)),
        ("conv2", 49): ((("dense", 7), 0.7),),
    }
    return Pyramid(4, "layer", 0.6, 3, SIZE, (top, low, first), edges)


PYRAMID = _pyramid()
PANEL = Panel(
    "sit down (90.0%)",
    FRAMES,
    VOLUME,
    PYRAMID,
    stages={"layer1": 1 - VOLUME, "layer2": VOLUME**2},
    heats={"Grad-CAM": VOLUME[::-1]},
    captions={TUBE: "2x3x4 cells"},
    scores=[("sit down", 0.9), ("stand up", 0.08)],
    facts={"network": "r3d_18"},
)


def pixels(tab, script):
    """Reads the pixels of a canvas, uint8 `[H, W, 3]`."""
    text = tab.value(f"{script}.toDataURL('image/png')").partition(",")[2]
    return cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), 1)[..., ::-1]


def heat_of(tab, volume, share, width, height):
    """Returns the heatmap that the page's script computes from a volume."""
    script = f"Array.from(upsampled({volume}, {share}, {width}, {height}))"
    return np.array(tab.value(script)).reshape(height, width)
