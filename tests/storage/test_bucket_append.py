"""Tests appending to files in a bucket."""

from __future__ import annotations

import time

import pytest

from vidjax.storage import buckets
from vidjax.storage.bucket_append import AppendStream
from vidjax.storage.paths import as_path
from vidjax.storage.writing import appending, line_by_line, new, sync, unfinished


def test_lines_are_uploaded_by_sync_and_close(bucket):
    path = as_path(f"{bucket}/lines.jsonl")
    with appending(path) as stream:
        stream.write("one\n")
        stream.flush()
        assert not path.exists()
        sync(stream)
        assert path.read_text() == "one\n"
        stream.write("two ä\n")
    assert path.read_text(encoding="utf-8") == "one\ntwo ä\n"
    with appending(path) as stream:
        stream.write("three\n")
    assert path.read_text(encoding="utf-8") == "one\ntwo ä\nthree\n"


def test_lines_are_uploaded_ten_seconds_after_the_last_upload(bucket, monkeypatch):
    path, now = as_path(f"{bucket}/lines.jsonl"), time.monotonic()
    with appending(path) as stream:
        stream.write("one\n")
        monkeypatch.setattr(time, "monotonic", lambda: now + 11.0)
        stream.flush()
        assert path.read_text() == "one\n"


def test_an_empty_file_is_uploaded_too(bucket):
    appending(as_path(f"{bucket}/lines")).close()
    assert as_path(f"{bucket}/lines").read_bytes() == b""


def test_nothing_is_sent_twice(store, bucket):
    with appending(as_path(f"{bucket}/lines")) as stream:
        stream.write("one\n")
        sync(stream)
        store.requests()
        sync(stream)
    assert store.requests() == []


def test_lines_of_another_process_are_not_overwritten(bucket):
    url = f"{bucket}/lines"
    stream = AppendStream(url)
    stream.write("mine\n")
    stream.sync()
    buckets.write(url, b"theirs\n")
    stream.write("more\n")
    with pytest.raises(buckets.BucketError, match="another process has written to it"):
        stream.sync()
    with pytest.raises(buckets.BucketError, match="another process has written to it"):
        stream.close()
    assert as_path(url).read_bytes() == b"theirs\n"


def test_a_new_file_overwrites_nothing(bucket):
    path = as_path(f"{bucket}/x")

    def meet_another() -> None:
        with new(path) as stream:
            stream.write("mine")
            buckets.write(str(path), b"theirs")

    with pytest.raises(FileExistsError):
        meet_another()
    with pytest.raises(FileExistsError), new(path) as stream:
        stream.write("mine")
    assert path.read_bytes() == b"theirs"


def test_a_table_that_takes_long_gets_its_name_at_the_end(bucket):
    path = as_path(f"{bucket}/rows.csv")

    def write_and_fail() -> None:
        with line_by_line(path) as stream:
            stream.write("one\n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert not path.exists()
    assert unfinished(path).read_text() == "one\n"
    unfinished(path).unlink()
    with line_by_line(path) as stream:
        stream.write("one\n")
    assert path.read_text() == "one\n"
    assert not unfinished(path).exists()
    with pytest.raises(FileExistsError), line_by_line(path):
        pass
