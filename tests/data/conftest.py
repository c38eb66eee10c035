"""Fixtures: a small prepared data set of real videos, made once per session."""

from __future__ import annotations

import pytest

from tests.videos import numbered_frames, write_video
from vidjax.data import catalog
from vidjax.data.prepared import PreparedSplit

LENGTHS = {"train": (5, 12, 20, 33, 34), "test": (7, 16, 30)}


@pytest.fixture(scope="session")
def prepared_directory(tmp_path_factory):
    """Prepares two classes of numbered videos, and one file that is not a video."""
    root = tmp_path_factory.mktemp("numbered")
    rows = ["path,label,split"]
    for split, lengths in LENGTHS.items():
        for label in ("left", "right"):
            for length in lengths:
                path = f"{split}/{label}_{length}.mp4"
                write_video(root / path, numbered_frames(length))
                rows.append(f"{path},{label},{split}")
    (root / "train/broken.mp4").write_bytes(b"no video")
    rows.append("train/broken.mp4,left,train")
    (root / "videos.csv").write_text("\n".join(rows))
    request = catalog.Request(
        data_dir=root / "data",
        manifest=str(root / "videos.csv"),
        storage=catalog.Storage(short_side=48, quality=95, bad_video_budget=0.1),
        workers=1,
    )
    return catalog.prepare("video_folder", request)


@pytest.fixture(scope="session")
def train_split(prepared_directory):
    return PreparedSplit(prepared_directory, "train")


@pytest.fixture(scope="session")
def test_split(prepared_directory):
    return PreparedSplit(prepared_directory, "test")
