"""Tests multigrid shapes, schedules and batches against the papers' numbers."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from vidjax.data.multigrid import GridShape, Multigrid, cycles, grid_schedule, mean_batch
from vidjax.data.multigrid_batches import grid_batches
from vidjax.data.pipeline import Augmentation, ClipShape
from vidjax.data.synthetic import SyntheticSplit

BASE = GridShape(32, 16, 224)


def shapes(base=BASE, unit=1, **settings):
    return cycles(Multigrid(**settings), base, unit)


def test_the_long_cycle_has_the_four_shapes_of_the_thesis():
    # B = 32: (8B, T/4, H/sqrt2), (4B, T/2, H/sqrt2), (2B, T/2, H), (B, T, H); 224 -> 158.
    expected = [(256, 4, 158), (128, 8, 158), (64, 8, 224), (32, 16, 224)]
    assert shapes(cycle="long") == [[GridShape(*shape)] for shape in expected]


def test_the_short_cycle_begins_with_the_smallest_clips():
    expected = [(128, 16, 112), (64, 16, 158), (32, 16, 224)]
    assert shapes(cycle="short") == [[GridShape(*shape) for shape in expected]]


def test_both_cycles_have_eight_shapes_under_the_official_rule():
    flat = list(itertools.chain(*shapes(cycle="both")))
    inputs = {(shape.frames, shape.size) for shape in flat}
    small = set(itertools.product((4, 8, 16), (112, 158)))
    assert inputs == small | {(8, 224), (16, 224)}
    assert max(shape.batch for shape in flat) == 16 * 32


def test_a_product_of_both_cycles_reaches_the_smallest_size():
    first = shapes(cycle="both", both="product")[0]
    assert first == [GridShape(1024, 4, 80), GridShape(512, 4, 112), GridShape(256, 4, 158)]


@pytest.mark.parametrize("cycle", ["long", "short", "both"])
@pytest.mark.parametrize("both", ["capped", "product"])
def test_every_batch_costs_about_the_same(cycle, both):
    for shape in itertools.chain(*shapes(cycle=cycle, both=both)):
        work = shape.batch * shape.frames * shape.size**2
        # Sizes are rounded to even numbers.
        assert work == pytest.approx(32 * 16 * 224**2, rel=2 / shape.size * 1.1)
        assert shape.size % 2 == 0


def test_batches_are_multiples_of_the_unit():
    odd = shapes(GridShape(12, 13, 182), unit=12, cycle="both")
    assert all(shape.batch % 12 == 0 for shape in itertools.chain(*odd))
    assert odd[-1][-1] == GridShape(12, 13, 182)


def plan(steps, steps_per_epoch, boundaries=(), **settings):
    grid = Multigrid(**settings)
    return grid_schedule(
        grid, BASE, steps=steps, steps_per_epoch=steps_per_epoch, boundaries=boundaries
    )


def test_each_epoch_has_each_long_shape_for_a_quarter_of_its_steps():
    table = plan(120, 40, cycle="long")
    batches = [table.shape(step).batch for step in range(120)]
    assert batches == 3 * (10 * [256] + 10 * [128] + 10 * [64] + 10 * [32])


def test_an_epoch_shows_about_as_many_clips_as_there_are_videos():
    videos = 100_000
    for cycle in ("long", "short", "both"):
        mean = mean_batch(shapes(cycle=cycle))
        table = plan(round(10 * videos / mean), videos / mean, cycle=cycle)
        assert table.firsts[-1] == pytest.approx(10 * videos, rel=0.01)


def test_short_cycles_change_the_shape_at_every_step():
    table = plan(9, 9, cycle="short")
    assert [table.shape(step).batch for step in range(9)] == 3 * [128, 64, 32]
    np.testing.assert_array_equal(table.rates, 1)


@pytest.mark.parametrize(("anchor", "first"), [("default", 8.0), ("largest", 1.0)])
def test_the_rate_follows_the_long_cycles_batch_and_no_short_cycle(anchor, first):
    table = plan(48, 48, cycle="both", anchor=anchor)
    expected = np.repeat([first, first / 2, first / 4, first / 8], 12)
    np.testing.assert_allclose(table.rates, expected)


def test_the_last_stage_keeps_the_base_shape():
    table = plan(100, 7.0, boundaries=(40, 80), cycle="both", over="stage")
    longs = [round(rate * 32) for rate in table.rates]
    assert longs == 2 * (10 * [256] + 10 * [128] + 10 * [64] + 10 * [32]) + 20 * [32]
    assert {table.shape(step) for step in range(80, 100)} == {BASE}


def test_stages_without_boundaries_and_unknown_settings_are_refused():
    with pytest.raises(ValueError, match="set schedule.name = 'step' with schedule.bound"):
        plan(10, 5.0, cycle="long", over="stage")
    with pytest.raises(ValueError, match="multigrid.cycle = 'longer': must be one of none, long"):
        Multigrid(cycle="longer")


class Numbered(SyntheticSplit):
    """Videos of 64 frames that record which frames are decoded."""

    def __init__(self, videos):
        super().__init__(num_classes=3, videos=videos, frames=64, size=24)
        self.seen = []

    def __getitem__(self, index):
        record, seen = super().__getitem__(index), self.seen

        class Noted(type(record)):
            def decode(self, indices):
                seen.append((self.name, np.array(indices)))
                return super().decode(indices)

        return Noted(record.jpegs, record.label, record.name, record.fps)


def batches(source, steps, *, time="picks", seed=3, index=0, count=1, **settings):
    base = GridShape(2, 8, 16)
    shape = ClipShape(frames=8, stride=2, size=16)
    table = grid_schedule(Multigrid(cycle="both"), base, steps=steps, steps_per_epoch=steps)
    still = Augmentation(scale=(1.0, 1.0), ratio=(1.0, 1.0), flip=0.0)
    settings = {"process_index": index, "process_count": count, "seed": seed}
    return table, grid_batches(source, shape, still, table, time=time, **settings)


def test_batches_follow_the_schedule_and_show_each_video_once_per_epoch():
    source = Numbered(videos=30)
    table, made = batches(source, steps=12)
    for step in range(12):
        shape = table.shape(step)
        clip = made[step]["clip"]
        assert clip.shape == (shape.batch, shape.frames, shape.size, shape.size, 3)
    first_epoch = [name for name, _ in source.seen][:30]
    assert len(set(first_epoch)) == 30


def test_fewer_frames_are_spread_evenly_over_the_base_clip():
    source = Numbered(videos=30)
    batches(source, steps=12)[1][0]
    assert all(set(np.diff(indices)) == {8} and len(indices) == 2 for _, indices in source.seen)


def test_a_drawn_stride_is_between_the_base_stride_and_the_base_span():
    source = Numbered(videos=30)
    table, made = batches(source, steps=40, time="rate")
    for step in range(10):
        assert table.shape(step).frames == 2
        made[step]
    strides = {int(np.diff(indices)[0]) for _, indices in source.seen}
    assert min(strides) == 2
    assert max(strides) == 8
    assert len(strides) == 7


def test_a_batch_depends_only_on_seed_and_number():
    one, two = batches(Numbered(30), 12)[1], batches(Numbered(30), 12)[1]
    for step in (7, 3, 11):
        np.testing.assert_array_equal(one[step]["clip"], two[step]["clip"])
    other = batches(Numbered(30), 12, seed=4)[1]
    assert not np.array_equal(one[7]["label"], other[7]["label"]) or not np.array_equal(
        one[7]["clip"], other[7]["clip"]
    )


def test_processes_share_the_rows_of_every_batch():
    whole = batches(Numbered(30), 12)[1]
    parts = [batches(Numbered(30), 12, index=index, count=2)[1] for index in range(2)]
    for step in (0, 5, 11):
        rows = np.concatenate([part[step]["clip"] for part in parts])
        np.testing.assert_array_equal(rows, whole[step]["clip"])


def test_indivisible_batches_are_refused():
    with pytest.raises(ValueError, match="not divisible by 3 processes"):
        batches(Numbered(30), 12, count=3)


def test_sizes_of_the_thesis_networks():
    # X3D's and MTNet's inputs of 182 and 256 pixels, and a quarter of 13 frames.
    assert [part[0].size for part in shapes(GridShape(64, 13, 182), cycle="long")] == [
        2 * round(182 / math.sqrt(2) / 2),
        2 * round(182 / math.sqrt(2) / 2),
        182,
        182,
    ]
    assert shapes(replace(BASE, frames=13), cycle="long")[0][0].frames == 3
