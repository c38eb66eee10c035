"""Tests the benchmark of a bucket, and that it leaves nothing there."""

import re

import pytest

from tests.commands import refusal, run_command
from vidjax.storage.paths import as_path

TINY = ("--seconds=0.4", "--short_sides=32", "--size=16", "--frames=2", "--stride=1", "--chain=0")


@pytest.mark.slow
def test_a_bucket_is_measured_beside_the_disk_and_left_as_it_was(store, bucket):
    store.misbehave("slow", match="^GET .*array_record", seconds=0.02)
    done = run_command(
        "experiments.benchmark",
        "data",
        f"--storage={bucket}/any",
        *TINY,
        "--shards=4",
        "--shard_videos=4",
        "--batch=4",
        "--rounds=1",
        COLUMNS="200",
        **store.environment,
    )
    assert done.returncode == 0, done.stderr
    assert "4 shards of" in done.stdout
    ways = ("this disk", "ArrayRecord in place", "all videos shuffled", "two shards at a time")
    for way in ways:
        line = next(line for line in done.stdout.splitlines() if way in line and "│" in line)
        numbers = re.findall(r"[\d.]+", line)
        assert len(numbers) == 5, done.stdout
        assert all(float(number) > 0 for number in numbers)
    # 10.07 G multiply-adds at 16x112x112, and far fewer at 2x16x16.
    assert re.search(
        r"a step of r3d_50 on one v5e at 40% of its peak needs \d+ clips/s", done.stdout
    )
    assert not as_path(f"{bucket}/any").exists()


def test_a_folder_in_place_of_a_bucket_is_refused(tmp_path):
    done = run_command("experiments.benchmark", "data", f"--storage={tmp_path}", *TINY)
    assert f"--storage={tmp_path}: a URL is expected" in refusal(done)
