"""Tests maps that hide parts of a clip, against NumPy."""

import itertools

import numpy as np
import pytest
from scipy import ndimage

from tests.explain.numpy_gradients import WEIGHTS, both_ways, linear, network, softmax, units
from tests.explain.numpy_reference import CLIP, SIZE, normal
from vidjax.explain import compiled_passes, perturbation, saliency_map
from vidjax.explain.compile_options import compiled
from vidjax.explain.maps.rise import random_mask

LABEL = 1
LINEAR = {
    "first": normal(20, 1, 1, 1, 3, 4),
    "frames": np.float32(range(5)),
    "head": normal(21, 4, 3),
}


def score(clip, kind="probability"):
    logits, _, _ = both_ways(WEIGHTS, clip, LABEL)
    return (softmax(logits) if kind == "probability" else logits)[LABEL]


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, "logit"),
        ({"score": "probability", "softmax": False}, "probability"),
        ({"top": 3}, "logit"),
    ],
)
def test_score_cam_weights_channels_by_scores_of_masked_clips(settings, kind):
    _, features, _ = both_ways(WEIGHTS, CLIP, LABEL)
    a = features["last"]
    channels = np.argsort(-a.var((0, 1, 2)))[: settings.get("top", 6)]
    nothing = score(np.zeros_like(CLIP), kind)
    seen = [score(CLIP * units(a[..., k])[None, ..., None], kind) - nothing for k in channels]
    weights = softmax(np.array(seen)) if settings.get("softmax", True) else np.array(seen)
    expected = np.maximum(a[..., channels] @ weights, 0)
    found = saliency_map(network, WEIGHTS, CLIP, LABEL, "score_cam", **settings)
    np.testing.assert_allclose(found.cells[0], expected, rtol=1e-3, atol=1e-5)
    assert found.passes == len(channels) + 2


def windows(size, length, stride):
    """Returns the starts of windows from the beginning, and of the one at the end."""
    return sorted({*range(0, size - length + 1, stride), size - length})


@pytest.mark.parametrize("over", ["spacetime", "time", "space"])
def test_occlusion_is_the_mean_drop_over_windows_at_a_place(over):
    lengths = {"spacetime": (2, 5, 5), "time": (2, 9, 10), "space": (5, 5, 5)}[over]
    settings = {"spacetime": {"frames": 2, "pixels": 5}, "time": {"frames": 2}}.get(
        over, {"pixels": 5}
    )
    lost, times = np.zeros(SIZE), np.zeros(SIZE)
    starts = [
        windows(size, length, max(1, length // 2))
        for size, length in zip(SIZE, lengths, strict=True)
    ]
    whole, count = score(CLIP), 1
    for corner in itertools.product(*starts):
        box = tuple(slice(at, at + length) for at, length in zip(corner, lengths, strict=True))
        clip = CLIP.copy()
        clip[(0, *box)] = 0
        lost[box] += whole - score(clip)
        times[box] += 1
        count += 1
    found = saliency_map(network, WEIGHTS, CLIP, LABEL, "occlusion", over=over, **settings)
    expected = lost / times
    np.testing.assert_allclose(
        np.broadcast_to(found.cells[0], SIZE), expected, atol=2e-3 * np.abs(expected).max()
    )
    assert found.passes == count
    assert found.resolution == "x".join(str(len(own)) for own in starts) + " cells"


def test_unused_regions_have_constant_heat():
    def left(weights, clip):
        return network(weights, clip[:, 1:3, :, :4])

    found = saliency_map(left, WEIGHTS, CLIP, LABEL, "occlusion", frames=1, pixels=2)
    flat = found.cells[0].copy()
    # Columns whose window of two overlaps the columns that the network uses.
    flat[1:3, :, :5] = 0
    np.testing.assert_allclose(flat, 0, atol=1e-7)
    assert np.abs(found.cells[0][1:3, :, :4]).max() > 1e-3


@pytest.mark.parametrize("blank", ["still", "blurred"])
def test_windows_are_filled_as_chosen(blank):
    box = (slice(None), slice(2, 4))
    if blank == "still":
        instead = np.broadcast_to(CLIP.mean(1, keepdims=True), CLIP.shape)
    else:
        instead = ndimage.gaussian_filter(CLIP, (0, 0, 0.9, 0.9, 0))
    clip = CLIP.copy()
    clip[box] = instead[box]
    found = saliency_map(
        network, WEIGHTS, CLIP, LABEL, "occlusion", over="time", frames=2, steps=1, blank=blank
    )
    lost = score(CLIP) - score(clip)
    # Frame 2 is in one window only: windows of two frames begin at 0, 2 and 3.
    np.testing.assert_allclose(found.cells[0][2, 0, 0], lost, rtol=1e-3, atol=1e-6)


def test_rise_masks_have_the_expected_mean_and_unit_range():
    masks = [
        random_mask(np.random.default_rng((0, n)), (5, 12, 12), (2, 3, 3), 0.3) for n in range(1000)
    ]
    assert np.min(masks) >= 0
    assert np.max(masks) <= 1
    error = np.std(masks, axis=0) / np.sqrt(len(masks))
    assert (np.abs(np.mean(masks, axis=0) - 0.3) < 5 * error).all()


def all_masks(frames, cells, share):
    """Returns every possible mask of RISE over time, `[frames]`, with its probability."""
    length = -(-frames // cells)
    knots = np.linspace(0, (cells + 1) * length - 1, cells)
    for bits in itertools.product((0, 1), repeat=cells):
        long = np.interp(np.arange((cells + 1) * length), knots, bits)
        chance = share ** sum(bits) * (1 - share) ** (cells - sum(bits)) / (length + 1)
        for shift in range(length + 1):
            yield long[shift : shift + frames], chance


def _only(frame):
    clip = np.zeros_like(CLIP)
    clip[:, frame] = CLIP[:, frame]
    return clip


@pytest.mark.parametrize("count", [64, 1024])
def test_rise_converges_to_the_mean_over_all_masks(count):
    """For a linear score, the mean and deviation over all masks are known."""
    masks, chances = map(np.array, zip(*all_masks(5, 3, 0.4), strict=True))
    assert chances.sum() == pytest.approx(1)
    each = np.array([linear(LINEAR, _only(frame))[0, LABEL] for frame in range(5)])
    one = (masks @ each)[:, None] * masks / 0.4
    mean = chances @ one
    error = np.sqrt(chances @ (one - mean) ** 2 / count)
    settings = {"over": "time", "times": 3, "share": 0.4, "score": "logit", "masks": count}
    found = saliency_map(linear, LINEAR, CLIP, LABEL, "rise", **settings)
    assert found.cells[0].shape == (5, 1, 1)
    assert found.passes == count
    assert (np.abs(found.cells[0][:, 0, 0] - mean) < 4 * error).all()
    assert error.max() < np.abs(mean).max() * (0.5 if count == 64 else 0.12)


def test_rise_follows_its_equation_and_depends_on_the_seed():
    settings = {"masks": 11, "times": 2, "sides": 3, "seed": 5}
    found = saliency_map(network, WEIGHTS, CLIP, LABEL, "rise", **settings)
    masks = [random_mask(np.random.default_rng((5, n)), SIZE, (2, 3, 3), 0.5) for n in range(11)]
    expected = sum(score(CLIP * mask[None, ..., None]) * mask for mask in masks) / 11 / 0.5
    np.testing.assert_allclose(found.cells[0], expected, rtol=1e-3)
    assert found.resolution == "2x3x3 cells"
    space = saliency_map(network, WEIGHTS, CLIP, LABEL, "rise", over="space", masks=3)
    assert space.cells[0].shape == (1, 9, 10)
    again = saliency_map(network, WEIGHTS, CLIP, LABEL, "rise", over="space", masks=3)
    np.testing.assert_array_equal(space.volume, again.volume)
    other = saliency_map(network, WEIGHTS, CLIP, LABEL, "rise", over="space", masks=3, seed=1)
    assert np.abs(space.volume - other.volume).max() > 0.01


@pytest.mark.parametrize(
    ("name", "settings", "count"),
    [
        ("rise", {"masks": 19}, 19),
        ("score_cam", {}, 7),
        ("occlusion", {"over": "time", "frames": 1}, 6),
    ],
)
def test_clips_are_batched_in_one_size_with_progress(monkeypatch, name, settings, count):
    sizes, steps = [], []
    whole = perturbation.logits_pass

    def watched(network):
        def run(variables, clips):
            sizes.append(clips.shape)
            return whole(network)(variables, clips)

        return run

    monkeypatch.setattr(perturbation, "logits_pass", watched)
    monkeypatch.setattr(perturbation, "_NUMBERS", 5 * CLIP.size)
    told = {"progress": lambda *step: steps.append(step)}
    found = saliency_map(network, WEIGHTS, CLIP, LABEL, name, **settings, **told)
    assert set(sizes) == {(5, *SIZE, 3)}
    assert len(sizes) == -(-count // 5)
    assert [done for done, _ in steps] == [*range(5, count, 5), count]
    assert {total for _, total in steps} == {count}
    monkeypatch.undo()
    unwatched = saliency_map(network, WEIGHTS, CLIP, LABEL, name, **settings)
    np.testing.assert_allclose(found.volume, unwatched.volume, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "settings", "reason"),
    [
        ("occlusion", {"over": "time", "pixels": 3}, "pixels = 3 has no effect with over = 'time'"),
        ("occlusion", {"over": "space", "frames": 1}, "frames = 1 has no effect with over"),
        ("rise", {"over": "time", "sides": 7}, "sides = 7 has no effect with over = 'time'"),
        ("rise", {"over": "both"}, "rise over = 'both': must be one of spacetime, time, space"),
        ("rise", {"layer": "first"}, "layer = 'first' has no effect on rise"),
        ("score_cam", {"top": 0}, "score_cam top = 0: must be"),
    ],
)
def test_settings_without_effect_are_refused(name, settings, reason):
    with pytest.raises(ValueError, match=reason):
        saliency_map(network, WEIGHTS, CLIP, LABEL, name, **settings)


def test_clips_of_a_batch_are_independent(monkeypatch):
    """A batch computed at once (accelerators) equals clips computed one by one (CPU)."""
    settings = {"masks": 11, "seed": 3}
    one_by_one = saliency_map(network, WEIGHTS, CLIP, LABEL, "rise", **settings)
    monkeypatch.setattr(compiled_passes, "_at_once", lambda: True)
    # The loop was compiled once for this network.
    monkeypatch.setattr(
        perturbation, "logits_pass", compiled(compiled_passes.logits_pass.__wrapped__)
    )
    together = saliency_map(network, WEIGHTS, CLIP, LABEL, "rise", **settings)
    np.testing.assert_allclose(together.cells[0], one_by_one.cells[0], atol=1e-6)
