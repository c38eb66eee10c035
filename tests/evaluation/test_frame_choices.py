"""Tests the count of frame selections against a count by hand and against their effect on clips."""

import functools
import math

import jax.numpy as jnp
import numpy as np
import pytest

import vidjax
from experiments.zoo import networks_page
from vidjax.evaluation.frame_choices import FrameChoices, count_frame_choices
from vidjax.layers.recorded_selections import recording_selections
from vidjax.layers.temporal_frame_selection import temporal_frame_selection

RNG = np.random.default_rng(0)
DEPTHS = {"mtnet_s": (3, 5, 11, 7), "mtnet_m": (3, 5, 11, 7), "mtnet_l": (5, 10, 25, 15)}
TINY = {"width": 8, "neck": 8, "num_classes": 2}


def by_hand(depths, frames, edge="never", keep_time=False):
    """Lists the selections of the stem, and of both inputs of each prolonged branch.

    The second convolution of the first block of later stages halves time. Its input has twice as
    many frames as its output, and each is halved by a selection.
    """
    lengths = []
    if not keep_time:
        lengths.append(frames)
        frames = frames // 2 if frames > 2 else frames
    for stage, depth in enumerate(depths):
        for block in range(depth):
            entering = frames
            if stage and not block and not keep_time:
                frames = math.ceil(frames / 2)
            lengths += [entering, entering, entering, frames, frames, frames]
    candidates = {length: length - (2 if edge == "never" else 0) for length in lengths}
    choosing = sum(n > 2 and candidates[n] > n // 2 for n in lengths)
    whole = sum(n <= 2 for n in lengths)
    return FrameChoices(choosing, len(lengths) - choosing - whole, whole)


@pytest.mark.parametrize(
    ("frames", "options"),
    [
        (16, {}),
        (13, {"edge": "single"}),
        (6, {"keep_time": True, "scan": True, "remat": (1,)}),
    ],
    ids=str,
)
def test_a_network_has_as_many_choices_as_are_counted_by_hand(frames, options):
    depths = (1, 2, 0, 1)
    model = vidjax.create_model("mtnet_m", depths=depths, **TINY, **options)
    asked = {name: value for name, value in options.items() if name in ("edge", "keep_time")}
    assert count_frame_choices(model, (frames, 32, 32)) == by_hand(depths, frames, **asked)


def test_convolutions_in_other_networks_and_pooled_frames_are_counted_too():
    make = functools.partial(vidjax.create_model, "r3d_50_e1", width=8, depths=(1, 1, 1, 1))
    # Stages have 8, 4, 2 and 1 frames; inputs of strided layers have twice as many.
    assert count_frame_choices(make(multi_temporal={}), (16, 32, 32)) == FrameChoices(3, 2, 3)
    pooled = make(multi_temporal={"frames": "pooled"})
    assert count_frame_choices(pooled, (16, 32, 32)).total == 0
    assert count_frame_choices(make(), (16, 32, 32)).total == 0


@pytest.mark.parametrize("settings", [{}, {"edge": "single"}, {"choose": "strided"}], ids=str)
def test_exactly_the_choosing_selections_depend_on_the_clip(settings):
    select = functools.partial(temporal_frame_selection, **settings)
    for frames in (2, 3, 4, 5):
        x = jnp.asarray(RNG.normal(size=(64, frames, 1, 1, 6)), jnp.float32)
        with recording_selections() as found:
            _, numbers = select(x)
        ((told,), differ) = found, len(np.unique(numbers, axis=0)) > 1
        assert (told.frames, told.wanted) == (frames, numbers.shape[1])
        assert (told.candidates > told.wanted) == differ
        assert len(np.unique(numbers)) <= told.candidates


def test_selections_traced_outside_the_context_are_not_recorded():
    with recording_selections() as found:
        pass
    temporal_frame_selection(jnp.ones((1, 4, 1, 1, 2)))
    assert found == []


def test_the_page_of_networks_says_how_many_selections_choose():
    for name, given, frames, counts, _ in networks_page.CHOICES:
        assert by_hand(DEPTHS[name], frames, **given) == FrameChoices(*counts)
    ours = by_hand(DEPTHS["mtnet_m"], 16)
    kept = by_hand(DEPTHS["mtnet_m"], 16, keep_time=True)
    notes = vidjax.model_card("mtnet_m").notes
    assert f"{ours.choosing} of {ours.total} selections choose" in notes
    assert f"{ours.forced} are forced" in notes
    assert f"{ours.whole} have two frames or one" in notes
    assert f"{kept.choosing} of {kept.total} choose" in notes


@pytest.mark.slow
@pytest.mark.parametrize("row", networks_page.CHOICES, ids=str)
def test_the_page_of_networks_counts_choices_and_operations_of_the_networks(row):
    name, given, frames, counts, macs = row
    model = vidjax.create_model(name, scan=True, **given)
    clip = (frames, *vidjax.model_card(name).clip[1:])
    assert count_frame_choices(model, clip) == FrameChoices(*counts)
    assert vidjax.count_cost(model, clip).macs / 1e9 == pytest.approx(macs, abs=0.0005)
