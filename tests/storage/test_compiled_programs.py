"""Tests compiled programs in a bucket: a new machine does not compile again."""

import json
import os
import subprocess
import sys

import jax
import pytest

from tests.commands import ROOT, refusal
from tests.faults.tiny import command, ending, settings
from tests.training.test_compile_cache import start
from vidjax.storage.paths import UrlError
from vidjax.training import compile_cache

XLA_CACHES = "jax_persistent_cache_enable_xla_caches"


@pytest.fixture
def jax_settings():
    """Returns a function that sets settings of JAX until the end of the test."""
    names = ("jax_compilation_cache_dir", "jax_enable_compilation_cache", XLA_CACHES)
    before = {name: getattr(jax.config, name) for name in names}

    def given(folder, *, on=True):
        for name, value in {**before, names[0]: folder, names[1]: on}.items():
            jax.config.update(name, value)

    yield given
    for name, value in before.items():
        jax.config.update(name, value)


def test_a_process_with_an_empty_home_uses_programs_of_another_one(bucket, store, tmp_path):
    compiled = {"JAX_COMPILATION_CACHE_DIR": f"{bucket}/compiled"}
    found, missed = start(XDG_CACHE_HOME=str(tmp_path / "one"), **compiled)
    assert found == 0
    assert missed > 0
    assert any(line.startswith("POST") and "compiled" in line for line in store.requests())
    found, missed = start(XDG_CACHE_HOME=str(tmp_path / "two"), **compiled)
    assert found > 0
    assert missed == 0
    assert not any(line.startswith("POST") for line in store.requests())
    assert not list(tmp_path.iterdir())


def test_a_missing_bucket_is_reported_before_anything_is_compiled(store, jax_settings):
    jax_settings("gs://nowhere/compiled")
    with pytest.raises(UrlError, match="gs://nowhere: there is no bucket"):
        compile_cache.enable()
    # A disabled cache makes no request.
    jax_settings("gs://nowhere/compiled", on=False)
    compile_cache.enable()


def test_xla_gets_the_url_only_on_request(bucket, tmp_path, jax_settings, monkeypatch):
    """XLA's own cache of autotuning results does not support buckets, and would fail on a GPU."""
    jax_settings(str(tmp_path))
    compile_cache.enable()
    before = getattr(jax.config, XLA_CACHES)
    assert before != "none"
    jax_settings(f"{bucket}/compiled")
    compile_cache.enable()
    assert getattr(jax.config, XLA_CACHES) == "none"
    jax_settings(f"{bucket}/compiled")
    monkeypatch.setenv(XLA_CACHES.upper(), before)
    compile_cache.enable()
    assert getattr(jax.config, XLA_CACHES) == before


@pytest.mark.slow
def test_a_command_refuses_a_missing_bucket_in_one_line(store, tmp_path):
    folder = {"JAX_COMPILATION_CACHE_DIR": "gs://nowhere/compiled"}
    environment = {**os.environ, **folder, "JAX_ENABLE_COMPILATION_CACHE": "true"}
    done = subprocess.run(
        [sys.executable, "-m", "experiments.train", "--config=demo", f"--workdir={tmp_path}/run"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert "gs://nowhere: there is no bucket" in refusal(done)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_run_on_another_machine_takes_its_step_from_the_bucket(bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", f"{bucket}/compiled")
    monkeypatch.setenv("JAX_ENABLE_COMPILATION_CACHE", "true")
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    seconds = []
    for machine, origin in (("one", "compiled 8x2"), ("two", "from the cache: 8x2")):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / machine / "home"))
        workdir = tmp_path / machine / "run"
        process = command("train", *settings(workdir, train__duration="20 steps"))
        code, errors, _ = ending(process)
        assert code == 0, errors
        assert f"\n{origin}" in errors
        lines = [json.loads(line) for line in (workdir / "timing.jsonl").read_text().splitlines()]
        seconds += [line["seconds"] for line in lines if line["split"] == "compile"]
    assert seconds[1] < seconds[0]
    metrics = [(tmp_path / name / "run" / "metrics.jsonl").read_text() for name in ("one", "two")]
    assert metrics[0] == metrics[1]
