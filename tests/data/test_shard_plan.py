"""Tests which video belongs to which shard: TFDS's order, independent of broken videos."""

import random
from pathlib import Path

import pytest
from tensorflow_datasets.core import hashing

from vidjax.data.catalog import Storage
from vidjax.data.decode_jobs import video_name
from vidjax.data.manifest import Manifest
from vidjax.data.manifest_entry import Entry
from vidjax.data.shard_plan import plan


def manifest(count, seed=None):
    entries = [
        Entry(f"a\\b {number}/é{number}.mp4", "walk", ("train", "test")[number % 5 == 0], end)
        for number, end in ((k // 2, None if k % 2 else 1.5) for k in range(count))
    ]
    if seed is not None:
        random.Random(seed).shuffle(entries)
    return Manifest(Path("/videos"), tuple(entries), ("walk",))


@pytest.mark.parametrize("count", [1, 2, 500, 1500])
def test_the_order_of_a_split_is_that_of_tfds(count):
    listed = manifest(count)
    for split in listed.splits:
        shards = [shard for shard in plan("set", listed, Storage()) if shard.split == split]
        names = [video_name(entry) for shard in shards for entry in shard.entries]
        hashed = hashing.Hasher(split).hash_key
        assert names == sorted(map(video_name, listed.split(split)), key=hashed)
        sizes = [len(shard.entries) for shard in shards]
        assert max(sizes) <= 256
        assert max(sizes) - min(sizes) <= 1
        assert [shard.file for shard in shards] == [
            f"set-{split}.array_record-{k:05}-of-{len(shards):05}" for k in range(len(shards))
        ]


def test_the_plan_does_not_depend_on_the_order_of_the_list():
    assert plan("set", manifest(700), Storage()) == plan("set", manifest(700, 1), Storage())


@pytest.mark.parametrize(("side", "most"), [(64, 256), (128, 256), (256, 64), (320, 41), (1080, 8)])
def test_shards_of_large_frames_have_fewer_videos(side, most):
    sizes = [len(shard.entries) for shard in plan("set", manifest(1200), Storage(side))]
    assert most / 2 < max(sizes) <= most
