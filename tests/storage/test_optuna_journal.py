"""Tests that Optuna's journal in a bucket survives a kill of its process."""

import importlib.util
import json
import sys

import pytest

from experiments.sweep.optuna_journal import Journal
from experiments.sweep.optuna_space import read_space
from experiments.sweep.optuna_study import Study
from tests.experiments import optuna_stand_in
from vidjax.records import RecordError
from vidjax.storage.buckets import BucketError
from vidjax.storage.paths import as_path
from vidjax.storage.writing import write_bytes

SPACE = read_space(["optimizer.lr=log:0.001:1", "schedule.name=cosine,constant"])
OPTUNA = ["stand-in", *(["real"] if importlib.util.find_spec("optuna") else [])]


@pytest.fixture
def file(bucket):
    return as_path(f"{bucket}/sweep/optuna.log")


@pytest.fixture(params=OPTUNA)
def optuna(request, monkeypatch):
    if request.param == "stand-in":
        monkeypatch.setitem(sys.modules, "optuna", optuna_stand_in)


def study(folder):
    return Study(folder, SPACE, maximize=True, seed=3)


def test_another_process_reads_exactly_the_kept_records(file):
    first = Journal(file)
    assert first.read_logs(0) == []
    first.append_logs([{"op_code": 0, "study_name": "sweep"}, {"op_code": 4, "values": [0.25]}])
    first.keep()
    first.append_logs([{"op_code": 5}])
    assert [each["op_code"] for each in first.read_logs(1)] == [4, 5]
    # Like a kill: nothing is closed.
    del first
    second = Journal(file)
    assert second.read_logs(0) == [
        {"op_code": 0, "study_name": "sweep"},
        {"op_code": 4, "values": [0.25]},
    ]
    second.append_logs([{"op_code": 6}])
    second.keep()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines == Journal(file).read_logs(0) == second.read_logs(0)
    assert [each["op_code"] for each in lines] == [0, 4, 6]


def test_a_second_writer_overwrites_nothing(file):
    first, second = Journal(file), Journal(file)
    for number, each in enumerate((first, second)):
        each.append_logs([{"op_code": number}])
    first.keep()
    with pytest.raises(BucketError, match="another process has written to it"):
        second.keep()
    assert Journal(file).read_logs(0) == [{"op_code": 0}]


def test_a_damaged_journal_is_named(file):
    write_bytes(file, b'{"op_code":0}\n{"op_code":\n')
    with pytest.raises(RecordError, match=r"optuna\.log, line 2, is damaged .*: move it away"):
        Journal(file)


@pytest.mark.usefixtures("optuna")
def test_a_killed_search_knows_its_trials_and_continues_like_one_on_a_disk(bucket, tmp_path):
    def searched(folder, *, killed):
        """Returns the settings of four trials; with `killed`, each is repeated by a new study."""
        searching, tried = study(folder), []
        for number in range(4):
            (trial,) = searching.next(1)
            if killed:
                searching = study(folder)
                assert searching.next(1) == [trial]
            tried.append(trial)
            searching.tell(trial, None if number == 1 else 1 / (1 + number))
            if killed:
                searching = study(folder)
            assert searching.told == tried
        return tried

    there = as_path(f"{bucket}/sweep")
    assert searched(there, killed=True) == searched(tmp_path, killed=False)
    assert {path.name for path in there.iterdir()} == {"optuna.log"}


@pytest.mark.usefixtures("optuna")
def test_a_score_that_the_store_refused_is_stored_again(bucket, store):
    folder = as_path(f"{bucket}/sweep")
    first = study(folder)
    (trial,) = first.next(1)
    store.misbehave("forbidden", r"^POST .*optuna\.log")
    with pytest.raises(BucketError, match="no permission"):
        first.tell(trial, 0.5)
    store.behave()
    second = study(folder)
    assert second.told == []
    assert second.next(1) == [trial]
    second.tell(trial, 0.5)
    assert study(folder).told == [trial]
