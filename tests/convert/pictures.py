"""Computes image ResNets with torchvision's names in NumPy, as a reference."""

import numpy as np

from tests import references
from tests.convert.test_loading import norm

CLASSES = 5


def state(block="basic", width=4, depths=(1, 1, 1, 1), *, stem=7, expansion=4, inner=1, groups=1):
    """Makes a random state dict with `basic` or `bottleneck` blocks and a stem of 7 or 3 pixels."""
    cifar = stem == 3
    keys = {"conv1.weight": (width, 3, stem, stem)} | norm("bn1", width)
    inputs = width
    for layer, depth in enumerate(depths, start=1):
        inside = width * 2 ** (layer - 1) * inner
        outputs = width * 2 ** (layer - 1) * (expansion if block == "bottleneck" else 1)
        for index in range(depth):
            at = f"layer{layer}.{index}"
            if block == "basic":
                shapes = ((outputs, inputs, 3, 3), (outputs, outputs, 3, 3))
            else:
                shapes = (
                    (inside, inputs, 1, 1),
                    (inside, inside // groups, 3, 3),
                    (outputs, inside, 1, 1),
                )
            for number, shape in enumerate(shapes, start=1):
                keys[f"{at}.conv{number}.weight"] = shape
                keys |= norm(f"{at}.bn{number}", shape[0])
            if not cifar and (inputs != outputs or (index == 0 and layer > 1)):
                keys[f"{at}.downsample.0.weight"] = (outputs, inputs, 1, 1)
                keys |= norm(f"{at}.downsample.1", outputs)
            inputs = outputs
    head = "linear" if cifar else "fc"
    keys |= {f"{head}.weight": (CLASSES, inputs), f"{head}.bias": (CLASSES,)}
    return references.state_dict(keys, 1.0)


def conv(x, kernel, stride=1):
    """Convolves `[H, W, C]` with a kernel `[O, C / groups, k, k]`, padded by k // 2."""
    size = kernel.shape[-1]
    padded = np.pad(x, [(size // 2, size // 2)] * 2 + [(0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(0, 1))
    windows = windows[::stride, ::stride]
    share = kernel.shape[1]
    parts = np.split(kernel, x.shape[-1] // share)
    return np.concatenate(
        [
            np.einsum("hwcij,ocij->hwo", windows[:, :, share * n : share * (n + 1)], part)
            for n, part in enumerate(parts)
        ],
        axis=-1,
    )


def pooled(x):
    """Max-pools 3x3 pixels with stride 2."""
    padded = np.pad(x, [(1, 1), (1, 1), (0, 0)], constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    return windows.max(axis=(-2, -1))[::2, ::2]


def logits(weights, picture):
    """Computes logits `[K]` of an image `[H, W, 3]`, and features `[H, W, C]` of each stage."""
    w = {key: np.asarray(value, np.float64) for key, value in weights.items()}

    def normed(x, name):
        scale = w[f"{name}.weight"] / np.sqrt(w[f"{name}.running_var"] + 1e-5)
        return (x - w[f"{name}.running_mean"]) * scale + w[f"{name}.bias"]

    def block(x, at, stride):
        deep = f"{at}.conv3.weight" in w
        y = x
        for number in range(1, 4 if deep else 3):
            own = stride if number == (2 if deep else 1) else 1
            y = normed(conv(y, w[f"{at}.conv{number}.weight"], own), f"{at}.bn{number}")
            y = y if number == (3 if deep else 2) else np.maximum(y, 0)
        if f"{at}.downsample.0.weight" in w:
            x = normed(conv(x, w[f"{at}.downsample.0.weight"], stride), f"{at}.downsample.1")
        else:
            more = y.shape[-1] - x.shape[-1]
            x = np.pad(x[::stride, ::stride], [(0, 0), (0, 0), (more // 2, more - more // 2)])
        return np.maximum(x + y, 0)

    large = w["conv1.weight"].shape[-1] == 7
    x = conv(np.asarray(picture, np.float64), w["conv1.weight"], 2 if large else 1)
    x = np.maximum(normed(x, "bn1"), 0)
    x = pooled(x) if large else x
    stages = []
    for layer in range(1, 5):
        index = 0
        while f"layer{layer}.{index}.conv1.weight" in w:
            x = block(x, f"layer{layer}.{index}", 2 if layer > 1 and index == 0 else 1)
            index += 1
        stages.append(x)
    head = "fc" if "fc.weight" in w else "linear"
    return x.mean((0, 1)) @ w[f"{head}.weight"].T + w[f"{head}.bias"], stages
