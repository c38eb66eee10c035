"""Tests how input and step throughput are compared at the start of a run."""

import time

import grain
import numpy as np
import pytest

from vidjax.training.input_throughput import InputThroughput, input_rate, sentence


class Slow:
    """Has batches of 4 that take 20 ms each."""

    def __init__(self):
        self.read = []

    def __len__(self):
        return 1000

    def __getitem__(self, index):
        self.read.append(index)
        time.sleep(0.02)
        return {"label": np.zeros(4, np.int32)}


@pytest.mark.parametrize("threads", [1, 4])
def test_threads_read_in_parallel(threads):
    source = Slow()
    rate = input_rate(grain.MapDataset.source(source), threads, first=10, seconds=0.5)
    assert rate == pytest.approx(threads * 4 / 0.02, rel=0.4)
    assert min(source.read) == 10


def test_measuring_ends_after_a_time_but_not_before_a_batch():
    started = time.monotonic()
    assert input_rate(grain.MapDataset.source(Slow()), 1, first=0, seconds=0.0) > 0
    assert time.monotonic() - started < 1


def test_the_first_step_is_excluded_and_the_line_is_printed_once():
    told, measured = [], []

    def measure():
        measured.append(len(pauses))
        return 100.0

    balance = InputThroughput(measure, lambda line, rates: told.append((line, rates)), steps=3)
    pauses = [0.05, 0.05, 0.05, 0.2]
    while pauses:
        balance.begin()
        time.sleep(pauses.pop())
        balance.end(np.zeros(1), clips=2)
    # After three steps, so that the first one does not wait for it.
    assert measured == [1]
    ((line, rates),) = told
    assert rates["step_clips_per_second"] == pytest.approx(40, rel=0.2)
    assert rates["input_clips_per_second"] == 100
    assert line.startswith("input delivers 100 clips/s, the step needs 3")


def test_a_slow_input_pipeline_gets_advice():
    assert "2.5 times as fast" in sentence(100.0, 40.0)
    assert "the input is the bottleneck; more data.threads" in sentence(40.0, 100.0)
