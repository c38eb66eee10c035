"""Tests TensorBoard's files by the packages of others that write and read them."""

import math
import struct

import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.record_writer import RecordWriter, masked_crc32c

from vidjax.training.event_files import opening_records, scalars_record
from vidjax.training.writers.tensorboard import Events


def events(content):
    """The events of a file, whose checksums are compared with tensorboardX's."""
    found = []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        message, rest = content[12 : 12 + length], content[12 + length :]
        for part, checksum in ((content[:8], content[8:12]), (message, rest[:4])):
            assert struct.unpack("<I", checksum) == (masked_crc32c(part),)
        found.append(Event.FromString(message))
        content = rest[4:]
    return found


def test_a_file_begins_with_its_version_and_hides_later_steps():
    version, start = events(opening_records(1.5, 301))
    assert version.file_version == "brain.Event:2"
    assert (start.wall_time, start.step) == (1.5, 301)
    assert start.session_log.status == SessionLog.START


def test_numbers_have_tags_and_steps():
    numbers = {"train/loss": 0.25, "test-1x1/top 1": 1 / 3}
    (event,) = events(scalars_record(2e9 + 0.125, 70_000, numbers))
    assert (event.wall_time, event.step) == (2e9 + 0.125, 70_000)
    found = {value.tag: value.simple_value for value in event.summary.value}
    assert found == pytest.approx({"train/loss": 0.25, "test-1x1/top_1": 1 / 3}, rel=1e-7)


def test_records_are_those_of_tensorboardx(tmp_path):
    event = Event(wall_time=3.5, step=9)
    event.summary.value.add(tag="train/loss", simple_value=0.1)
    theirs = RecordWriter(str(tmp_path / "theirs"))
    theirs.write(event.SerializeToString())
    theirs.close()
    ours = scalars_record(3.5, 9, {"train/loss": 0.1})
    assert ours == (tmp_path / "theirs").read_bytes()


@pytest.mark.parametrize(
    ("number", "expected"), [(1e300, math.inf), (-1e300, -math.inf), (math.nan, math.nan)]
)
def test_numbers_beyond_float32_are_infinite(number, expected):
    (event,) = events(scalars_record(0.0, 1, {"a": number}))
    assert event.summary.value[0].simple_value == pytest.approx(expected, nan_ok=True)


def test_a_start_has_a_file_only_if_it_writes(tmp_path):
    Events(tmp_path, 0).close()
    assert not list(tmp_path.iterdir())
    writer = Events(tmp_path, 4)
    writer.write(6, "train", {"loss": 2.0})
    (file,) = tmp_path.glob("events.out.tfevents.*")
    # Readable before the run ends.
    _, start, numbers = events(file.read_bytes())
    assert (start.step, numbers.step) == (5, 6)
    writer.close()
