"""Tests that commands that read a data set from a bucket give the same results as from a disk."""

import json
import re
import subprocess
import sys
import time

import pytest

from tests.commands import ROOT, refusal, run_command
from tests.data.conftest import prepared_directory  # noqa: F401
from vidjax.storage.local_copies import upload_folder
from vidjax.storage.paths import as_path


@pytest.fixture(scope="module")
def given(prepared_directory, _store):  # noqa: F811
    """Returns flags without the data's location, the data's folder, and their bucket."""
    root = prepared_directory.parents[3]
    far = f"{_store.bucket('prepared')}/data"
    upload_folder(root / "data", as_path(far))
    flags = [
        "--config=folder",
        f"--config.data.manifest={root / 'videos.csv'}",
        "--config.data.short_side=48",
        "--config.data.quality=95",
        "--config.model.name=r3d_18",
        "--config.model.options={'width': 4, 'depths': (1, 0, 0, 0), 'stem_kernel': (1, 3, 3)}",
        "--config.clip.frames=2",
        "--config.clip.size=16",
        "--config.eval.size=16",
        "--config.eval.crops=1",
        "--config.augment.flip=0",
        "--config.train.batch_size=4",
        "--config.eval.batch_size=4",
        "--config.train.duration=4 steps",
        "--config.every.log=1 steps",
    ]
    return flags, root / "data", far


@pytest.fixture
def train(_store):
    """Trains in a process with the store's environment."""

    def train(flags, folder, data, *more):
        arguments = [*flags, f"--workdir={folder}", f"--config.data.data_dir={data}", *more]
        return run_command("experiments.train", *arguments, **_store.environment)

    return train


def shards(store):
    return [line for line in store.requests() if re.search("GET /download.*array_record", line)]


def test_a_run_is_the_same_and_the_next_one_fetches_nothing(store, train, given, tmp_path):
    flags, here, far = given
    copies = f"--config.data.cache_dir={tmp_path / 'copies'}"
    runs = {"here": (here,), "cold": (far, copies), "warm": (far, copies)}
    fetched = {}
    for name, arguments in runs.items():
        done = train(flags, tmp_path / name, *arguments)
        assert done.returncode == 0, done.stderr
        fetched[name] = shards(store)
    metrics = {(tmp_path / name / "metrics.jsonl").read_bytes() for name in runs}
    assert len(metrics) == 1
    assert {name: bool(lines) for name, lines in fetched.items()} == {
        "here": False,
        "cold": True,
        "warm": False,
    }
    # On another machine, with other copies.
    done = run_command(
        "experiments.evaluate",
        f"--workdir={tmp_path / 'cold'}",
        f"--config.data.cache_dir={tmp_path / 'other'}",
        **store.environment,
    )
    assert done.returncode == 0, done.stderr
    # Only the test split.
    assert {re.search(r"video_folder-(\w+)", line)[1] for line in shards(store)} == {"test"}
    reports = [
        json.loads(next((tmp_path / name / "eval").glob("*-step4.json")).read_text())
        for name in ("here", "cold")
    ]
    assert reports[0] == reports[1]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("cache_gb=0.00001", r"gs://\S+ alone has \S+ GB: set data.cache_gb to"),
        ("cache_dir=gs://nobody/copies", r"gs://nobody\S*: there is no bucket 'nobody'"),
        ("shuffle_shards=3", r"shuffle_shards = 3 does not divide train.batch_size = 4"),
    ],
)
def test_invalid_settings_are_refused_in_one_line(store, train, given, tmp_path, setting, said):
    flags, _, far = given
    done = train(
        flags,
        tmp_path / "run",
        far,
        f"--config.data.cache_dir={tmp_path / 'copies'}",
        f"--config.data.{setting}",
    )
    assert done.returncode == 2
    assert re.search(said, done.stderr.splitlines()[-1]), done.stderr
    assert shards(store) == []


def test_a_limit_without_copies_has_no_effect_and_is_refused(train, given, tmp_path):
    flags, here, _ = given
    said = refusal(train(flags, tmp_path / "run", here, "--config.data.cache_gb=1"))
    assert "data.cache_gb = 1 has no effect" in said


@pytest.mark.slow
def test_data_on_a_remote_disk_may_be_copied_too(train, given, tmp_path):
    flags, here, _ = given
    done = train(flags, tmp_path / "run", here, f"--config.data.cache_dir={tmp_path / 'copies'}")
    assert done.returncode == 0, done.stderr
    assert any("array_record" in file.name for file in (tmp_path / "copies").iterdir())


@pytest.mark.slow
def test_a_run_killed_while_copying_resumes_to_the_same_result(store, train, given, tmp_path):
    flags, here, far = given
    flags = [*flags, "--config.data.shuffle_shards=2"]
    copies = tmp_path / "copies"
    store.misbehave("slow", match="/download/.*array_record", seconds=60)
    command = [sys.executable, "-m", "experiments.train", *flags, f"--workdir={tmp_path / 'run'}"]
    command += [f"--config.data.data_dir={far}", f"--config.data.cache_dir={copies}"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not list(copies.glob("*.part")) and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
    assert list(copies.glob("*.part"))
    store.behave()
    done = train(flags, tmp_path / "run", far, f"--config.data.cache_dir={copies}")
    assert done.returncode == 0, done.stderr
    assert not list(copies.glob("*.part"))
    assert train(flags, tmp_path / "here", here).returncode == 0
    metrics = {(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("run", "here")}
    assert len(metrics) == 1


@pytest.mark.slow
def test_a_second_machine_trains_without_the_remote_store(
    store, train, given, bucket, tmp_path, monkeypatch
):
    flags, here, far = given
    near = f"--config.data.cache_dir={bucket}/near"
    for name, data, more in (("here", here, ()), ("first", far, (near,)), ("second", far, (near,))):
        monkeypatch.setitem(store.environment, "XDG_CACHE_HOME", str(tmp_path / f"home-{name}"))
        done = train(flags, tmp_path / name, data, *more)
        assert done.returncode == 0, done.stderr
        # Requests to the remote and to the nearby bucket.
        asked = {bool(re.search("/prepared/", line)) for line in shards(store)}
        assert asked == {"here": set(), "first": {True}, "second": {False}}[name]
    ends = {(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("here", "first")}
    ends.add((tmp_path / "second" / "metrics.jsonl").read_bytes())
    assert len(ends) == 1
    assert json.loads(ends.pop().splitlines()[-1])["step"] == 4
