"""Beam's local runner stands for a cluster: the same examples as without it."""

import dataclasses
import importlib.util

import pytest

from tests.videos import numbered_frames, write_video
from vidjax.data import catalog
from vidjax.data.builders.prepared_videos import PreparationError
from vidjax.data.prepared import PreparedSplit

_HERE = importlib.util.find_spec("apache_beam") is not None
needs_beam = pytest.mark.skipif(not _HERE, reason="Apache Beam is not installed")


@pytest.fixture
def request_of(tree):
    """Five videos of two groups of classes, one of them broken, and what is asked of them."""
    for group in (1, 2, 8, 9, 10):
        path = tree.folder / f"YoYo/v_YoYo_g{group:02}_c01.mp4"
        write_video(path, numbered_frames(4 + group)).rename(path.with_suffix(".avi"))
    tree.text("YoYo/v_YoYo_g10_c01.avi", "no video")

    def ask(data_dir, budget=0.5, **settings):
        storage = catalog.Storage(short_side=48, bad_video_budget=budget)
        return dataclasses.replace(
            tree.request(storage=storage, **settings), data_dir=tree.data_dir / data_dir
        )

    return ask


def _content(folder, split):
    source = PreparedSplit(folder, split)
    records = [source[index] for index in range(len(source))]
    found = {record.name: (list(record.jpegs), record.label, record.fps) for record in records}
    return found, source.classes, source.manifest_digest, list(source.broken)


# Of TFDS with the protobuf that Beam brings along.
@pytest.mark.filterwarnings(r"ignore:label\(\) is deprecated:DeprecationWarning")
@needs_beam
def test_beam_prepares_the_same_examples_and_names_the_same_broken_videos(request_of):
    beam = catalog.Beam("DirectRunner")
    there = catalog.prepare("ucf101", request_of("there", beam=beam))
    here = catalog.prepare("ucf101", request_of("here"))
    for split in ("train", "test"):
        assert _content(there, split) == _content(here, split)
    (broken,) = PreparedSplit(there, "train").broken
    assert "not a readable video" in broken["error"]
    for name in ("report.csv", "excluded.csv"):
        assert (there / name).read_text() == (here / name).read_text()
    assert sorted(path.name for path in there.parent.iterdir()) == [
        there.name,
        f"{there.name}.lock",
    ]


@pytest.mark.filterwarnings(r"ignore:label\(\) is deprecated:DeprecationWarning")
@needs_beam
def test_beam_refuses_too_many_broken_videos_too(request_of):
    request = request_of("there", budget=0.1, beam=catalog.Beam("DirectRunner"))
    with pytest.raises(PreparationError, match="1 of 3 videos of split 'train' cannot be read"):
        catalog.prepare("ucf101", request)
    # What Beam has written so far is no data set yet.
    local = dataclasses.replace(request, beam=None)
    with pytest.raises(PreparationError, match="1 of 3 videos of split 'train' cannot be read"):
        catalog.prepare("ucf101", local)


@pytest.mark.skipif(_HERE, reason="Apache Beam is installed")
def test_beam_is_asked_for_by_name_where_it_is_absent(request_of):
    with pytest.raises(ValueError, match=r"not installed: pip install 'vidjax\[beam\]'"):
        catalog.prepare("ucf101", request_of("there", beam=catalog.Beam("DirectRunner")))
