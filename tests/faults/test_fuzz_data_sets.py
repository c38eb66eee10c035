"""Fuzzes prepared data sets: mutations are refused in one line, or read unchanged."""

import contextlib
import dataclasses
import json

import numpy as np
import pytest

from tests.faults.fuzz import COUNT, Outcome, fuzz, refusing
from tests.faults.test_damaged_data_sets import is_damaged, request_of
from tests.videos import numbered_frames, write_video
from vidjax.data import catalog
from vidjax.data.optical_flow import Flow
from vidjax.data.preparation_report import ReportError, read_report
from vidjax.data.prepared import PreparedSplit
from vidjax.data.record_index import read_record_index
from vidjax.data.source_files import SourceFiles, recorded_root

# The first result, which is that of the unchanged data set.
_right = {}


def read_sealed(folder):
    """Checks that all readable records equal the written ones."""
    found = read_any(folder)
    _right.update(found if not _right else {})
    for place, record in found.items():
        assert record == _right[place]


def read_any(folder):
    """Returns the undamaged records, by split and index."""
    with contextlib.suppress(ReportError):
        read_report(folder)
    SourceFiles.read(folder)
    recorded_root(folder)
    with refusing(ValueError):
        return dict(_records(folder))


@contextlib.contextmanager
def _naming(folder):
    """Checks that errors name the data set."""
    try:
        yield
    except ValueError as error:
        if str(folder) not in str(error) and "has no split" not in str(error):
            raise RuntimeError("the error names no data set") from error
        raise


def _records(folder):
    for name in ("train", "test"):
        with _naming(folder):
            split = PreparedSplit(folder, name)
            records = [split[index] for index in range(len(split))]
        read_record_index(folder, name, split.classes)
        for place, record in enumerate(records):
            if not is_damaged(record):
                video = (record.name, split.classes[record.label], record.fps)
                yield (name, place), (*video, list(record.jpegs))


def read_flow(folder):
    """Returns the flow of all undamaged records."""
    with refusing(ValueError), _naming(folder):
        split = PreparedSplit(folder, "train", pairs=2)
        records = [split[index] for index in range(len(split))]
    for record in records:
        if not is_damaged(record):
            with refusing(ValueError):
                record.decode(np.arange(record.length))


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    root = tmp_path_factory.mktemp("fuzzed")
    for label in ("sit", "walk"):
        for number in range(2):
            write_video(root / "videos" / label / f"{number}.mp4", numbered_frames(3))
    return catalog.prepare("video_folder", request_of(root))


@pytest.fixture
def earlier(sealed):
    """Returns a data set without checksums, so that mutations reach the readers."""
    file = sealed / "sizes.json"
    content = file.read_bytes()
    file.write_text(json.dumps({"another": 1}))
    yield sealed
    file.write_bytes(content)


def check(outcome: Outcome):
    assert outcome.read > 0
    assert outcome.refused > 0


@pytest.mark.parametrize("count", [150, pytest.param(COUNT, marks=pytest.mark.slow)])
def test_mutations_of_a_data_set_are_refused_or_change_nothing(sealed, tmp_path, count):
    check(fuzz(f"{__name__}:read_sealed", sealed, tmp_path, count=count))


@pytest.mark.parametrize("count", [150, pytest.param(COUNT, marks=pytest.mark.slow)])
def test_mutations_of_an_earlier_data_set_are_refused_or_read(earlier, tmp_path, count):
    check(fuzz(f"{__name__}:read_any", earlier, tmp_path, count=count))


@pytest.mark.slow
def test_mutations_of_a_data_set_of_flow_are_refused_or_read(sealed, tmp_path):
    request = request_of(sealed.parents[3])
    storage = dataclasses.replace(request.storage, flow=Flow("farneback"))
    request = dataclasses.replace(request, data_dir=tmp_path / "flow", storage=storage)
    folder = catalog.prepare("video_folder", request)
    (folder / "sizes.json").write_text(json.dumps({"another": 1}))
    check(fuzz(f"{__name__}:read_flow", folder, tmp_path, count=COUNT))
