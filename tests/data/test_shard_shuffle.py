"""Tests the order in which few shards are read at a time, against a simple implementation."""

import collections

import grain
import numpy as np
import pytest

from experiments.benchmark.many_shards import copy_into_shards
from vidjax.data.class_matching import Relabelled
from vidjax.data.pipeline import Augmentation, ClipShape, prefetch, train_batches
from vidjax.data.prepared import PreparedSplit
from vidjax.data.shard_shuffle import ShardShuffle
from vidjax.data.synthetic import SyntheticSplit
from vidjax.data.video_sampler import shuffled_records
from vidjax.storage.shard_cache import ShardCache

LENGTHS = (3, 5, 4, 4, 6, 2, 5, 1)
SHAPE = ClipShape(frames=2, stride=1, size=16)


class Listed:
    """Videos that are numbers, in shards; records which ones are prefetched."""

    def __init__(self, lengths):
        self.shard_lengths = lengths
        self.expected = []

    def __len__(self):
        return sum(self.shard_lengths)

    def __getitem__(self, index):
        return index

    def expect(self, index):
        self.expected.append(index)


def shard_of(video, lengths=LENGTHS):
    return int(np.searchsorted(np.cumsum(lengths), video, side="right"))


@pytest.fixture(scope="module")
def sharded(prepared_directory, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sharded") / "1.0.0"
    copy_into_shards(prepared_directory, folder, "train", LENGTHS)
    return folder


@pytest.mark.parametrize(("lanes", "batch"), [(1, 1), (1, 4), (2, 6), (4, 4), (8, 16), (3, 45)])
def test_every_video_occurs_once_per_epoch_in_a_new_order(lanes, batch):
    order = ShardShuffle(Listed(LENGTHS), 7, lanes, batch)
    size = sum(LENGTHS)
    epochs = [[order[e * size + n] for n in range(size)] for e in range(5)]
    assert all(sorted(epoch) == list(range(size)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 5


def test_a_clip_depends_only_on_seed_and_number():
    one, other = (ShardShuffle(Listed(LENGTHS), 3, 4, 8) for _ in range(2))
    numbers = np.random.default_rng(0).permutation(300)
    assert {int(n): one[n] for n in numbers} == {n: other[n] for n in range(300)}
    assert [ShardShuffle(Listed(LENGTHS), 4, 4, 8)[n] for n in range(30)] != [
        one[n] for n in range(30)
    ]


def test_a_lane_reads_one_shard_after_the_other():
    """If the lanes share shards of one size evenly, no shard is read by two lanes."""
    lengths = (10,) * 12
    order, rows, lanes = ShardShuffle(Listed(lengths), 0, 4, 8), 2, 4
    read = [
        [shard_of(order[n], lengths) for n in range(120) if n // rows % lanes == lane]
        for lane in range(lanes)
    ]
    for lane in read:
        changes = 1 + np.count_nonzero(np.diff(lane))
        assert changes == len(set(lane)) == 3
    assert sorted(np.concatenate([sorted(set(lane)) for lane in read])) == list(range(12))


def test_few_shards_are_read_at_a_time():
    order = ShardShuffle(Listed((10,) * 40), 0, 4, 8)
    for batch in range(50):
        shards = {shard_of(order[8 * batch + row], (10,) * 40) for row in range(8)}
        # A lane may end one shard and begin another.
        assert len(shards) <= 2 * 4


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_a_process_reads_only_the_shards_of_its_rows(processes):
    lengths, batch = (10,) * 16, 8
    order = ShardShuffle(Listed(lengths), 5, 4, batch)
    share = batch // processes
    read = collections.defaultdict(set)
    for n in range(160):
        read[n % batch // share].add(shard_of(order[n], lengths))
    assert [len(read[p]) for p in range(processes)] == [16 // processes] * processes


def test_each_shard_is_prefetched_before_it_is_read():
    source = Listed(LENGTHS)
    order = ShardShuffle(source, 1, 2, 4)
    missed, seen = [], set()
    for n in range(3 * len(source)):
        shard = shard_of(order.video(n))
        if shard not in seen and shard not in {shard_of(video) for video in source.expected}:
            missed.append(n)
        order[n]
        seen.add(shard)
    # The first shards of the two lanes.
    assert missed == [0, 2]


def test_batches_are_the_same_for_any_number_of_processes_and_after_a_resume(sharded):
    def batches(index, count):
        source = PreparedSplit(sharded, "train")
        return train_batches(
            source,
            SHAPE,
            Augmentation(),
            batch_size=4,
            seed=9,
            shards=2,
            process_index=index,
            process_count=count,
        )

    alone = [batches(0, 1)[k] for k in range(12)]
    for k in (0, 5, 11):
        rows = np.concatenate([batches(p, 2)[k]["clip"] for p in range(2)])
        np.testing.assert_array_equal(rows, alone[k]["clip"])
    reader = prefetch(batches(0, 1), 2)
    for _ in range(3):
        next(reader)
    resumed = prefetch(batches(0, 1), 2)
    resumed.set_state(reader.get_state())
    for k in range(3, 8):
        np.testing.assert_array_equal(next(resumed)["clip"], alone[k]["clip"])


def test_shuffling_all_videos_keeps_its_earlier_order(sharded):
    source = PreparedSplit(sharded, "train")
    plain = grain.MapDataset.source(source).seed(3).shuffle().repeat()
    new = shuffled_records(source, 3, shards=0, batch_size=4)
    assert [plain[n].name for n in range(60)] == [new[n].name for n in range(60)]


def test_what_does_not_fit_is_refused(sharded, tmp_path):
    with pytest.raises(ValueError, match=r"shuffle_shards = 3 does not divide the batch size 8"):
        ShardShuffle(Listed(LENGTHS), 0, 3, 8)
    with pytest.raises(ValueError, match=r"shuffle_shards = 2: .* has no shards; set it to 0"):
        ShardShuffle(SyntheticSplit(), 0, 2, 4)
    largest = max(file.stat().st_size for file in sharded.iterdir())
    small = PreparedSplit(sharded, "train", ShardCache(tmp_path, 2 * largest))
    for source in (small, Relabelled(small, ("right", "left"))):
        with pytest.raises(ValueError, match=r"larger than data.cache_gb.* data.shuffle_shards"):
            shuffled_records(source, 0)
        assert (
            len({shuffled_records(source, 0, shards=2, batch_size=2)[n].name for n in range(30)})
            > 2
        )
