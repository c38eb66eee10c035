"""Tests the order of clips: balanced sampling by counting, and that uniform order is unchanged."""

import collections

import grain
import numpy as np
import pytest

from vidjax.data.class_matching import Relabelled
from vidjax.data.multigrid import GridShape, Multigrid, grid_schedule
from vidjax.data.multigrid_batches import grid_batches
from vidjax.data.pipeline import Augmentation, ClipShape, prefetch, train_batches
from vidjax.data.prepared import PreparedSplit, Record
from vidjax.data.synthetic import SyntheticSplit
from vidjax.data.video_sampler import BalancedSampler, shuffled_records

COUNTS = {0: 1, 1: 13, 3: 5, 4: 40}
LABELS = np.random.default_rng(0).permutation([k for k, n in COUNTS.items() for _ in range(n)])
SIZE = len(LABELS)


class Labelled(SyntheticSplit):
    """A split with these numbers of videos per class; one class has none."""

    def __init__(self, labels=LABELS):
        super().__init__(num_classes=5, videos=len(labels), frames=3, size=16)
        self._labels = np.array(labels)

    def labels(self):
        return self._labels

    def __getitem__(self, index):
        record = super().__getitem__(index)
        return Record(record.jpegs, int(self._labels[index]), f"video {index}", 25.0)


def drawn(clips, seed=0, first=0, labels=LABELS):
    """Returns the videos of the first clips."""
    order = BalancedSampler(Labelled(labels), seed)
    return np.array([order.video(number) for number in range(first, first + clips)])


def test_classes_come_equally_often_after_any_number_of_epochs():
    videos = drawn(8 * SIZE)
    for epochs in range(1, 9):
        seen = collections.Counter(LABELS[videos[: epochs * SIZE]])
        assert set(seen) == set(COUNTS)
        assert max(seen.values()) - min(seen.values()) <= 1
        assert sum(seen.values()) == epochs * SIZE


def test_videos_of_a_class_come_equally_often():
    videos = drawn(8 * SIZE)
    for epochs in (1, 3, 8):
        seen = np.bincount(videos[: epochs * SIZE], minlength=SIZE)
        for label, count in COUNTS.items():
            of_class = seen[label == LABELS]
            assert len(of_class) == count
            # The clips of an epoch are shuffled, so its first and last rounds may be incomplete.
            assert of_class.max() - of_class.min() <= 1


def test_epochs_and_rounds_are_in_different_orders_and_well_shuffled():
    one, two = drawn(SIZE), drawn(SIZE, first=SIZE)
    assert not np.array_equal(LABELS[one], LABELS[two])
    assert not np.array_equal(one, drawn(SIZE, seed=1))
    # Without shuffling, classes would repeat every 4 clips.
    same = [(LABELS[one[:-gap]] == LABELS[one[gap:]]).mean() for gap in (1, 2, 4, 8)]
    assert max(same) < 0.6
    largest = [[v for v in epoch if LABELS[v] == 1] for epoch in (one, two)]
    assert largest[0][:5] != largest[1][:5]


def test_a_clips_video_depends_only_on_seed_and_number():
    order = BalancedSampler(Labelled(), 3)
    numbers = np.random.default_rng(1).permutation(6 * SIZE)
    by_number = {number: order.video(int(number)) for number in numbers}
    again = drawn(6 * SIZE, seed=3)
    assert [by_number[number] for number in range(6 * SIZE)] == again.tolist()


def test_videos_of_unknown_class_are_left_out_and_epochs_keep_their_length():
    labels = LABELS.copy()
    labels[[4, 9]] = -1
    videos = drawn(3 * SIZE, labels=labels)
    assert not {4, 9} & set(videos)
    seen = collections.Counter(labels[videos])
    assert max(seen.values()) - min(seen.values()) <= 1


def batches(sampling, source=None, **settings):
    shape, still = ClipShape(frames=2, stride=1, size=12), Augmentation(flip=0.5)
    settings = {"batch_size": 6, "seed": 2, "sampling": sampling} | settings
    return train_batches(source or Labelled(), shape, still, **settings)


def equal(one, two):
    return all(np.array_equal(one[name], two[name]) for name in one)


def test_uniform_order_is_unchanged():
    source = Labelled()
    clips = shuffled_records(source, 7)
    expected = grain.MapDataset.source(source).seed(7).shuffle().repeat()
    names = [clips[number].name for number in range(2 * SIZE)]
    assert names == [expected[number].name for number in range(2 * SIZE)]
    assert len(set(names[:SIZE])) == SIZE


def test_batches_are_balanced_and_resume_at_any_batch():
    made = batches("balanced")
    labels = np.concatenate([made[number]["label"] for number in range(SIZE)])
    seen = np.bincount(labels, minlength=5)
    assert seen[2] == 0
    assert np.ptp(seen[[0, 1, 3, 4]]) <= 1
    for threads in (1, 3):
        reader = prefetch(batches("balanced"), threads)
        for _ in range(4):
            next(reader)
        state, expected = reader.get_state(), next(reader)
        assert equal(expected, made[4])
        other = prefetch(batches("balanced"), 2)
        other.set_state(state)
        assert equal(next(other), expected)


def test_repeated_clips_of_a_video_differ():
    made = batches("balanced")
    rare = [made[number]["clip"][made[number]["label"] == 0] for number in range(20)]
    clips = np.concatenate(rare)
    assert len(clips) > 20
    assert len({clip.tobytes() for clip in clips}) > 0.8 * len(clips)


def test_processes_share_the_rows_of_a_balanced_batch():
    whole = batches("balanced")
    parts = [batches("balanced", process_index=index, process_count=3) for index in range(3)]
    for number in (0, 11):
        for name, rows in whole[number].items():
            ours = np.concatenate([part[number][name] for part in parts])
            np.testing.assert_array_equal(ours, rows)


def test_batches_of_a_multigrid_are_balanced_too():
    table = grid_schedule(
        Multigrid(cycle="both"), GridShape(2, 4, 12), steps=40, steps_per_epoch=20
    )
    shape = ClipShape(frames=4, stride=1, size=12)
    settings = {"time": "picks", "seed": 2, "sampling": "balanced"}
    made = grid_batches(Labelled(), shape, Augmentation(), table, **settings)
    labels, order = [], BalancedSampler(Labelled(), 2)
    for step in range(8):
        assert made[step]["clip"].shape[:2] == (table.shape(step).batch, table.shape(step).frames)
        labels += made[step]["label"].tolist()
    assert labels == [LABELS[order.video(number)] for number in range(len(labels))]
    parts = [
        grid_batches(
            Labelled(), shape, Augmentation(), table, process_index=k, process_count=2, **settings
        )
        for k in range(2)
    ]
    both = np.concatenate([part[5]["label"] for part in parts])
    np.testing.assert_array_equal(both, made[5]["label"])


def test_labels_of_a_prepared_split_are_those_of_its_records(prepared_directory, monkeypatch):
    split = PreparedSplit(prepared_directory, "train")
    expected = [split[index].label for index in range(len(split))]
    assert len(set(expected)) == 2
    assert split.labels().tolist() == expected
    names = tuple(reversed(split.classes))
    assert Relabelled(split, names).labels().tolist() == [1 - label for label in expected]
    # A data set from before the table existed.
    monkeypatch.setattr(PreparedSplit, "_contents", ())
    assert PreparedSplit(prepared_directory, "train").labels().tolist() == expected


def test_labels_come_from_the_table_without_reading_videos(prepared_directory, monkeypatch):
    split = PreparedSplit(prepared_directory, "train")
    expected = split.labels()
    monkeypatch.setattr(PreparedSplit, "_read", lambda *_: pytest.fail("a record was read"))
    np.testing.assert_array_equal(split.labels(), expected)


def test_an_unknown_label_stays_unknown():
    source = Labelled([0, -1, 4])
    names = tuple(reversed(source.classes))
    assert Relabelled(source, names).labels().tolist() == [4, -1, 0]
