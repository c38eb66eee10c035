"""Tests preparation with Beam's local runners: it writes the same files as without Beam."""

import contextlib
import dataclasses
import importlib.util
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import ROOT
from tests.faults.processes import descendants, wait_until
from tests.videos import numbered_frames, write_video
from vidjax.data import catalog
from vidjax.data.builders import prepared_videos
from vidjax.data.builders.prepared_videos import PreparationError
from vidjax.data.prepared import PreparedSplit
from vidjax.data.shard_executors import beam as beam_maker

_HERE = importlib.util.find_spec("apache_beam") is not None
needs_beam = pytest.mark.skipif(not _HERE, reason="Apache Beam is not installed")


@pytest.fixture
def request_of(tree):
    """Returns a request for five videos, one of them broken."""
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


# A warning of TFDS with the protobuf that Beam installs.
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
def test_beam_stops_if_too_many_videos_are_broken(request_of):
    request = request_of("there", budget=0.1, beam=catalog.Beam("DirectRunner"))
    with pytest.raises(PreparationError, match="1 of 3 videos of split 'train' cannot be read"):
        catalog.prepare("ucf101", request)
    # The files that Beam has written so far do not form a data set.
    local = dataclasses.replace(request, beam=None)
    with pytest.raises(PreparationError, match="1 of 3 videos of split 'train' cannot be read"):
        catalog.prepare("ucf101", local)


def test_the_error_without_beam_says_how_to_install_it(request_of, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(ValueError, match=r"not installed: pip install 'vidjax\[beam\]'"):
        catalog.prepare("ucf101", request_of("there", beam=catalog.Beam("DirectRunner")))


@needs_beam
def test_a_worker_with_another_code_version_ends_a_beam_job_in_one_line(request_of, monkeypatch):
    monkeypatch.setattr(prepared_videos, "code_version", lambda: "vidjax of yesterday")
    with pytest.raises(ValueError, match="a worker runs other code than the command: vid") as told:
        catalog.prepare("ucf101", request_of("there", beam=catalog.Beam("DirectRunner")))
    assert len(str(told.value).splitlines()) == 1


@needs_beam
def test_failures_of_beam_are_machine_errors_in_one_line(request_of, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device", "/tmp/x")

    monkeypatch.setattr(beam_maker, "make", fail)
    with pytest.raises(OSError, match="DirectRunner failed: .*No space left") as told:
        catalog.prepare("ucf101", request_of("there", beam=catalog.Beam("DirectRunner")))
    assert len(str(told.value).splitlines()) == 1


@contextlib.contextmanager
def _portable_runner(folder):
    """Starts a job service and a pool of worker processes; yields Beam's options for them."""
    # The pool starts the `python` that is first on the path.
    places = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {**os.environ, "PATH": places, "PYTHONPATH": str(ROOT)}
    port_file = folder / "port"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        pool = probe.getsockname()[1]
    modules = (
        ("portability.local_job_service_main", "--port=0", f"--port_file={port_file}"),
        ("worker.worker_pool_main", f"--service_port={pool}"),
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-m", f"apache_beam.runners.{name}", *options],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for name, *options in modules
    ]  # fmt: skip
    try:
        assert wait_until(lambda: port_file.is_file() and port_file.read_text(), 60)
        yield (
            f"--job_endpoint=127.0.0.1:{port_file.read_text()}",
            "--environment_type=EXTERNAL",
            f"--environment_config=127.0.0.1:{pool}",
        )
    finally:
        for process in running:
            for pid in (*descendants(process.pid), process.pid):
                os.kill(pid, signal.SIGKILL)
            process.wait()


# A warning of Beam itself.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
@needs_beam
def test_workers_of_a_portable_runner_write_the_same_files(request_of, tmp_path):
    with _portable_runner(tmp_path) as options:
        beam = catalog.Beam("PortableRunner", options)
        there = catalog.prepare("ucf101", request_of("there", beam=beam))
    here = catalog.prepare("ucf101", request_of("here"))
    files = {file.name: file.read_bytes() for file in here.iterdir()}
    assert {file.name: file.read_bytes() for file in there.iterdir()} == files
