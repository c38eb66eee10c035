"""Tests names and files that would make FFmpeg open something other than the named file."""

import http.server
import os
import socket
import threading
from contextlib import contextmanager

import av
import numpy as np
import pytest

from tests.commands import run_command
from tests.videos import numbered_frames, read_numbers, write_video
from vidjax.data.containers import open_video
from vidjax.data.decode import DecodeError, probe, read_video
from vidjax.data.encode import write_mp4
from vidjax.data.verdicts import check_video, read_verdicts
from vidjax.storage.paths import UrlError

FRAMES = numbered_frames(12)


@contextmanager
def listening(content):
    """Starts a web server that always answers with `content`; yields its port and its requests."""
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            """Logs nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1], requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def folder_like_an_address(tmp_path, port):
    """Writes a file whose path from `tmp_path` is a URL of the server; returns that path."""
    file = tmp_path / "http:" / f"127.0.0.1:{port}" / "x.mp4"
    write_video(file, FRAMES)
    return f"http:/127.0.0.1:{port}/x.mp4"


def test_a_folder_named_like_a_url_is_a_folder(tmp_path, monkeypatch):
    elsewhere = write_video(tmp_path / "elsewhere.mp4", numbered_frames(5)).read_bytes()
    with listening(elsewhere) as (port, requests):
        name = folder_like_an_address(tmp_path, port)
        monkeypatch.chdir(tmp_path)
        # FFmpeg by itself would contact the server for this name.
        with av.open(name) as container:
            assert container.streams.video[0].frames == 5
        assert requests
        requests.clear()
        assert read_numbers(read_video(name).frames) == list(range(12))
        assert probe(name).frames == 12
        assert check_video(name).frames == 12
        # A path with two slashes is a URL of an unsupported scheme.
        with pytest.raises(UrlError, match="supported are gs:// and s3://, not http://"):
            check_video(name.replace(":/", "://", 1))
        assert requests == []


def test_checking_a_folder_named_like_a_url_sends_no_request(tmp_path, monkeypatch):
    with listening(b"") as (port, requests):
        name = folder_like_an_address(tmp_path, port)
        output = tmp_path / "verdicts.csv"
        done = run_command(
            "experiments.check_videos", os.path.relpath(tmp_path), f"--output={output}",
            "--workers=1",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert requests == []
    (found,) = read_verdicts(output)
    assert (found.path, found.verdict, found.frames) == (name, "ok", 12)


@pytest.mark.parametrize("protocol", ["subfile,,start,0,end,0,,:", "concat:", "data:", "cache:"])
def test_a_protocol_before_a_name_is_part_of_the_name(tmp_path, monkeypatch, protocol):
    target = write_video(tmp_path / "target.mp4", FRAMES)
    monkeypatch.chdir(tmp_path)
    name = f"{protocol}{target}"
    with pytest.raises(DecodeError, match="no such file"):
        read_video(name)
    assert check_video(name).verdict == "absent"
    # A file with such a name is read itself.
    write_video(tmp_path / f"{protocol}own.mp4", numbered_frames(5))
    assert read_numbers(read_video(f"{protocol}own.mp4").frames) == list(range(5))


def test_a_written_video_is_a_file_for_any_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tcp:").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        name = f"tcp:/127.0.0.1:{server.getsockname()[1]}.mp4"
        write_mp4(name, FRAMES, 25)
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert len(read_video(name).frames) == 12


def lists_of(video):
    """Writes playlists, which hold no video but the name of one."""
    here = video.parent
    return {
        "concat.mp4": f"ffconcat version 1.0\nfile {video.name}\n",
        "absolute.mp4": f"ffconcat version 1.0\nfile {video}\n",
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{here}/a.ts\n#EXT-X-ENDLIST\n",
        "list.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{here}/a.ts\n#EXT-X-ENDLIST\n",
        "list.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
        'type="static" mediaPresentationDuration="PT1S"><Period><AdaptationSet '
        f'mimeType="video/mp4"><Representation id="0"><BaseURL>{video}</BaseURL>'
        "</Representation></AdaptationSet></Period></MPD>",
        "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    }


def test_playlists_are_refused(tmp_path):
    video = write_video(tmp_path / "a.mp4", FRAMES)
    write_video(tmp_path / "a.ts", FRAMES)
    for name, text in lists_of(video).items():
        (tmp_path / name).write_text(text)
        with pytest.raises(DecodeError, match="not a readable video"):
            read_video(tmp_path / name)
        found = check_video(name, tmp_path)
        assert (found.verdict, found.frames) == ("undecodable", 0), name


def test_an_image_is_a_video_of_one_frame_but_image_sequences_are_refused(tmp_path):
    for number in range(3):
        frame = av.VideoFrame.from_ndarray(FRAMES[number], format="rgb24")
        frame.to_image().save(tmp_path / f"{number:03}.png")
    (tmp_path / "%03d.png").write_bytes((tmp_path / "000.png").read_bytes())
    np.testing.assert_array_equal(read_video(tmp_path / "001.png").frames, FRAMES[1:2])
    with pytest.raises(DecodeError, match="unknown container"):
        read_video(tmp_path / "%03d.png")


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        ("mp4", "libx264"), ("mov", "libx264"), ("m4v", "libx264"), ("3gp", "libx264"),
        ("mkv", "libx264"), ("webm", "libvpx"), ("avi", "mpeg4"), ("flv", "flv"),
        ("ts", "libx264"), ("m2ts", "libx264"), ("mpg", "mpeg2video"), ("vob", "mpeg2video"),
        ("wmv", "wmv2"), ("asf", "wmv2"), ("ogv", "libvpx"), ("gif", "gif"), ("h264", "libx264"),
        ("nut", "ffv1"), ("mxf", "mpeg2video"), ("mjpeg", "mjpeg"),
    ],
)  # fmt: skip
def test_video_containers_are_read(tmp_path, suffix, codec):
    file = tmp_path / f"video.{suffix}"
    with av.open(str(file), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = FRAMES.shape[1:3]
        stream.pix_fmt = {"gif": "rgb8", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
        for frame in FRAMES:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    with open_video(file) as (container, stream):
        assert sum(1 for _ in container.decode(stream)) == 12


def test_a_title_in_another_encoding_is_ignored(tmp_path):
    file = tmp_path / "titled.mkv"
    with av.open(str(file), "w") as container:
        container.metadata["title"] = "DEJAVU"
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for frame in FRAMES:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    data = file.read_bytes()
    assert data.count(b"DEJAVU") == 1
    file.write_bytes(data.replace(b"DEJAVU", "DÉJÀVU".encode("latin-1")))
    assert check_video(str(file)).verdict == "ok"
    assert len(read_video(file).frames) == 12
