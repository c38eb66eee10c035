"""Tests published ResNets for CIFAR-10 on real images, and as video networks."""

import math

import jax
import numpy as np
import pytest

import vidjax
from vidjax.convert.inflation import inflate_torch
from vidjax.convert.loading import load_torch

# Top-1 on the authors' 10,000 test images.
PUBLISHED = {"resnet20-12fca82f.th": 0.9173, "resnet56-4bfd9763.th": 0.9339}
VIDEO = {
    "width": 16,
    "stem_kernel": (3, 3, 3),
    "stem_strides": (1, 1, 1),
    "stem_pool": False,
}


@pytest.fixture(scope="module")
def pictures(shared):
    """Reads images `[N, 32, 32, 3]` in [0, 1], and their labels."""
    file = shared / "weights/cifar10_test1000.npz"
    if not file.is_file():
        pytest.skip(f"no pictures of CIFAR-10 at {file}")
    found = np.load(file)
    return found["images"].astype(np.float32) / 255, found["labels"]


def weights(shared, name):
    file = shared / "weights" / name
    if not file.is_file():
        pytest.skip(f"no weights at {file}")
    return file


def spoken(model, variables, clips, batch=50):
    """Computes the logits `[N, K]` of clips `[N, T, H, W, 3]` in batches."""
    run = jax.jit(lambda v, x: model.apply(v, x, train=False))
    with jax.default_matmul_precision("highest"):
        parts = [run(variables, clips[n : n + batch]) for n in range(0, len(clips), batch)]
    return np.concatenate(parts)


def accuracy(logits, labels):
    return float(np.mean(np.argmax(logits, axis=-1) == labels))


def said_of_pictures(shared, name, depth, pictures):
    loaded = load_torch("cifar_resnet_110", weights(shared, name), depths=(depth,) * 3)
    assert loaded.options["shortcut"] == "pad_around"
    assert loaded.report.misfits == 0
    x = (pictures - np.float32(loaded.mean)) / np.float32(loaded.std)
    return spoken(loaded.model, loaded, x[:, None]), x


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("resnet20-12fca82f.th", 3),
        pytest.param("resnet56-4bfd9763.th", 9, marks=pytest.mark.slow),
    ],
)
def test_accuracy_on_images_is_that_published(name, depth, shared, pictures):
    images, labels = pictures
    logits, _ = said_of_pictures(shared, name, depth, images)
    published = PUBLISHED[name]
    # Two standard deviations of the accuracy on a sample of this size.
    deviation = math.sqrt(published * (1 - published) / len(labels))
    assert accuracy(logits, labels) == pytest.approx(published, abs=2 * deviation)


@pytest.mark.slow
def test_still_clips_are_classified_like_their_images(shared, pictures):
    images, labels = pictures
    name = "resnet20-12fca82f.th"
    expected, x = said_of_pictures(shared, name, 3, images)
    file = weights(shared, name)
    converted = inflate_torch("r3d_18", file, how="center", depths=(3, 3, 3, 0), **VIDEO)
    model = vidjax.create_model("r3d_18", num_classes=10, **converted.options)
    clips = np.repeat(x[:, None], 4, axis=1)
    logits = spoken(model, converted.variables, clips, batch=50)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4 * expected.std())
    assert accuracy(logits, labels) == accuracy(expected, labels)
