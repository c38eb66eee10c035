"""Tests requests to a store, and how its errors are reported."""

from __future__ import annotations

import threading

import pytest

from vidjax.run.machine_errors import of_machine
from vidjax.storage import buckets


def test_a_write_replaces_the_version_that_it_names_and_no_other(bucket):
    url = f"{bucket}/x"
    assert buckets.version(url) is None
    assert buckets.read(url) is None
    first = buckets.write(url, b"1", over=None)
    with pytest.raises(FileExistsError):
        buckets.write(url, b"2", over=None)
    second = buckets.write(url, b"3", over=first)
    with pytest.raises(FileExistsError):
        buckets.write(url, b"4", over=first)
    assert buckets.read(url) == (b"3", second)
    assert second != first
    buckets.remove(url, only=first)
    assert buckets.version(url) == second
    buckets.remove(url, only=second)
    assert buckets.version(url) is None
    buckets.remove(url)


def test_exactly_one_of_many_concurrent_writes_succeeds(bucket):
    won, start = [], threading.Barrier(8)

    def one(number: int) -> None:
        start.wait()
        try:
            buckets.write(f"{bucket}/x", f"{number}".encode(), over=None)
            won.append(number)
        except FileExistsError:
            pass

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(won) == 1
    assert buckets.read(f"{bucket}/x")[0] == f"{won[0]}".encode()


def test_a_write_whose_answer_is_lost_counts_as_done(store, bucket):
    store.misbehave("lost", "POST .*upload", times=1)
    version = buckets.write(f"{bucket}/x", b"mine", over=None)
    assert buckets.read(f"{bucket}/x") == (b"mine", version)
    assert store.behave()[0]["met"] == 1


def test_temporary_failures_are_retried(store, bucket):
    buckets.write(f"{bucket}/x", b"content")
    store.misbehave("unavailable", "GET", times=2)
    assert buckets.read(f"{bucket}/x")[0] == b"content"
    assert store.behave()[0]["met"] == 2


def test_truncated_answers_are_retried(store, bucket):
    content = bytes(range(256)) * 1000
    buckets.write(f"{bucket}/x", content)
    store.misbehave("cut", "GET .*alt=media", times=1)
    found = buckets.read(f"{bucket}/x")
    assert found is not None
    assert found[0] == content
    assert store.behave()[0]["met"] == 1


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("forbidden", "no permission"),
        ("expired", "gcloud auth application-default login"),
        pytest.param("quota", "quota is exceeded", marks=pytest.mark.slow),
        pytest.param("unavailable", "request to the store failed", marks=pytest.mark.slow),
    ],
)
def test_errors_of_a_store_are_machine_errors_that_name_the_url(store, bucket, kind, said):
    store.misbehave(kind)
    with pytest.raises(OSError, match=said) as error:
        buckets.write(f"{bucket}/x", b"1")
    reason = of_machine(error.value)
    assert reason is not None
    assert f"{bucket}/x" in reason
    assert "\n" not in reason
