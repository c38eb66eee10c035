"""Tests that the input pipeline's memory does not grow over ten thousand clips."""

from pathlib import Path

import pytest

from tests.videos import numbered_frames, write_video
from vidjax.data import catalog
from vidjax.data.pipeline import Augmentation, ClipShape, prefetch, train_batches
from vidjax.data.prepared import PreparedSplit

CLIPS, BATCH = 10_000, 8


def resident():
    """Returns the resident memory of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_memory_stays_flat_over_ten_thousand_clips(tmp_path):
    for number in range(40):
        path = tmp_path / "videos" / "train" / "any" / f"{number}.mp4"
        write_video(path, numbered_frames(60, 120, 160))
    write_video(tmp_path / "videos" / "test" / "any" / "0.mp4", numbered_frames(10))
    request = catalog.Request(tmp_path / "data", manifest=str(tmp_path / "videos"))
    split = PreparedSplit(catalog.prepare("video_folder", request), "train")
    augment = Augmentation(chain=0.9)
    batches = train_batches(split, ClipShape(size=112), augment, batch_size=BATCH, seed=0)
    reader, seen = prefetch(batches, threads=2), []
    for step in range(CLIPS // BATCH):
        next(reader)
        if step % 125 == 124:
            seen.append(resident())
    reader.close()
    # The first thousand clips fill caches and pools.
    growth = (max(seen[-3:]) - seen[0]) / 2**20
    print(f"resident after each thousand clips, MiB: {[size // 2**20 for size in seen]}")
    assert growth < 20
