"""Tests downloads from servers that disconnect, lie, refuse, redirect or do not exist."""

import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading

import pytest

from tests.trained.published.server import Answer, serving
from vidjax.trained.published import downloading
from vidjax.trained.published.downloading import DownloadError, download

BODY = os.urandom(3_000_000)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(downloading, "_PAUSE", 0.01)
    with serving() as server:
        server.answers = [Answer(body=BODY)]
        yield server


@pytest.fixture
def file(tmp_path):
    return tmp_path / "cache" / "weights.pth"


def whole(part):
    if hashlib.sha256(part.read_bytes()).digest() != hashlib.sha256(BODY).digest():
        raise ValueError(f"{part} is another file")


def names(file):
    """Returns the names in a file's folder without the remaining lock."""
    return sorted(each.name for each in file.parent.iterdir() if each.suffix != ".lock")


def test_a_file_is_downloaded_completely(server, file, capsys):
    download(server.url, file, whole)
    assert file.read_bytes() == BODY
    assert names(file) == ["weights.pth"]
    assert re.match(r"fetching weights.pth: \d\.\d of 3\.0 MB\n", capsys.readouterr().err)


def test_a_full_disk_keeps_the_downloaded_part(server, file):
    """A limit on file sizes makes writes fail as a full disk does."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            download(server.url, file, whole)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert len(server.asked) == 1
    download(server.url, file, whole)
    assert file.read_bytes() == BODY
    assert server.asked[-1][1] is not None


def test_an_existing_file_is_not_downloaded(server, file):
    file.parent.mkdir()
    file.write_bytes(b"mine")
    download(server.url, file, whole)
    assert file.read_bytes() == b"mine"
    assert server.asked == []


def test_an_interrupted_download_is_resumed(server, file):
    server.answers = [
        Answer(body=BODY, sent=1_000_000),
        Answer(body=BODY, sent=500_000),
        Answer(body=BODY),
    ]
    download(server.url, file, whole)
    assert file.read_bytes() == BODY
    firsts = [wanted for _, wanted in server.asked]
    assert firsts[0] is None
    starts = [int(wanted.removeprefix("bytes=").rstrip("-")) for wanted in firsts[1:]]
    assert 0 < starts[0] <= 1_000_000 < starts[1] <= 1_500_000


def test_a_later_call_resumes_a_partial_download(server, file):
    server.answers = [Answer(body=BODY, sent=2_000_000), Answer(500)]
    with pytest.raises(DownloadError, match="HTTP 500"):
        download(server.url, file, whole)
    (part,) = names(file)
    assert part.startswith("weights.pth.")
    assert part.endswith(".part")
    kept = (file.parent / part).stat().st_size
    assert 0 < kept <= 2_000_000
    server.answers, server.asked = [Answer(body=BODY)], []
    download(server.url, file, whole)
    assert file.read_bytes() == BODY
    assert server.asked[-1][1] == f"bytes={kept}-"
    assert names(file) == ["weights.pth"]


def test_a_partial_download_of_another_version_is_not_resumed(server, file):
    server.answers = [Answer(body=bytes(len(BODY)), sent=2_000_000, etag='"zero"'), Answer(500)]
    with pytest.raises(DownloadError):
        download(server.url, file, whole)
    server.answers = [Answer(body=BODY)]
    download(server.url, file, whole)
    assert file.read_bytes() == BODY
    assert names(file) == ["weights.pth"]


def test_partial_downloads_of_other_files_are_kept(server, file):
    """Also if their names begin alike."""
    file.parent.mkdir()
    other = file.with_name("weights.pth.tar.0123456789ab.part")
    other.write_bytes(b"another download")
    download(server.url, file, whole)
    assert names(file) == ["weights.pth", other.name]


def test_a_version_that_changes_between_attempts_restarts_the_download(server, file):
    server.answers = [
        Answer(body=bytes(len(BODY)), sent=1_000_000, etag='"zero"'),
        Answer(body=BODY),
    ]
    download(server.url, file, whole)
    assert file.read_bytes() == BODY


def test_without_range_requests_the_whole_file_is_sent_again(server, file):
    server.answers = [
        Answer(body=BODY, sent=1_000_000, ranges=False),
        Answer(body=BODY, ranges=False),
    ]
    download(server.url, file, whole)
    assert file.read_bytes() == BODY


def test_a_wrong_file_is_refused_and_deleted(server, file):
    server.answers = [Answer(body=BODY[::-1])]
    with pytest.raises(DownloadError, match=r"^what arrived is another file$"):
        download(server.url, file, whole)
    assert names(file) == []


@pytest.mark.parametrize("claimed", [len(BODY) + 1000, len(BODY) - 1000])
def test_a_wrong_length_gives_no_file(server, file, claimed):
    server.answers = [Answer(body=BODY, claimed=claimed, ranges=False)]
    with pytest.raises(DownloadError, match="broke off before the end|is another file"):
        download(server.url, file, whole)
    assert not file.exists()
    assert all(name.endswith(".part") for name in names(file))


def test_a_missing_file_is_requested_once(server, file):
    server.answers = [Answer(404)]
    with pytest.raises(DownloadError, match=r"^HTTP 404: the file does not exist$"):
        download(server.url, file, whole)
    assert len(server.asked) == 1
    assert names(file) == []


def test_server_errors_are_retried(server, file):
    server.answers = [Answer(503), Answer(500), Answer(body=BODY)]
    download(server.url, file, whole)
    assert file.read_bytes() == BODY


def test_a_redirect_is_followed(server, file):
    server.answers = [Answer(302, location=f"{server.url}?signed=1"), Answer(body=BODY)]
    download(server.url, file, whole)
    assert [path for path, _ in server.asked] == ["/weights.pth", "/weights.pth?signed=1"]
    assert file.read_bytes() == BODY


def test_redirect_loops_end(server, file):
    server.answers = [Answer(302, location=server.url)]
    with pytest.raises(DownloadError, match=r"^HTTP 302: too many redirects$"):
        download(server.url, file, whole)
    assert names(file) == []


def test_without_a_network_the_reason_is_reported(file, monkeypatch):
    monkeypatch.setattr(downloading, "_PAUSE", 0.01)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(DownloadError, match=r"^no connection: Connection refused$"):
        download(f"http://127.0.0.1:{port}/weights.pth", file, whole)
    assert names(file) == []


def test_a_silent_server_times_out(server, file, monkeypatch):
    over = threading.Event()
    server.before = over.wait
    monkeypatch.setattr(downloading, "_SILENCE", 0.2)
    try:
        with pytest.raises(DownloadError, match="no answer within"):
            download(server.url, file, whole)
    finally:
        over.set()


def test_symlinks_are_not_followed_when_writing(server, file, tmp_path):
    file.parent.mkdir()
    file.symlink_to(tmp_path / "victim")
    with pytest.raises(ValueError, match="is a symbolic link"):
        download(server.url, file, whole)
    assert not (tmp_path / "victim").exists()


FETCH = """
import sys
from pathlib import Path
from vidjax.trained.published.downloading import download
download(sys.argv[1], Path(sys.argv[2]), lambda part: None)
"""


def test_two_processes_download_a_file_once(server, file):
    first = threading.Event()
    server.before = lambda: first.wait(2)
    command = [sys.executable, "-c", FETCH, server.url, str(file)]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    errors = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert file.read_bytes() == BODY
    assert len(server.asked) == 1
    assert names(file) == ["weights.pth"]
