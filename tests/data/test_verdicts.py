"""Tests verdicts on real files, on damaged files, and failing workers."""

import csv
import dataclasses
import re

import av
import numpy as np
import pytest

from vidjax.data.encode import write_mp4
from vidjax.data.verdicts import VERDICTS, Limits, check_video

FRAMES = np.random.default_rng(0).integers(0, 255, (30, 48, 64, 3), np.uint8)
# The expected verdict for each description in the list of hard files.
EXPECTED = {
    "decodes": "ok",
    "opens, no video stream": "no video stream",
    "open fails: InvalidDataError": "undecodable",
}


def test_hard_files_get_the_verdicts_that_their_list_implies(shared):
    folder = shared / "clips" / "hard"
    with (folder / "hard.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        found = check_video(row["file"], folder)
        expected = EXPECTED.get(row["result"], "truncated")
        expected = "empty" if row["bytes"] == "0" else expected
        assert found.verdict == expected, row["file"]
        assert found.verdict in VERDICTS
        assert found.bytes == int(row["bytes"])
        if row["frames"]:
            assert found.frames == int(row["frames"]), row["file"]
            assert found.stated_frames == int(row["header_frames"])
            assert (found.codec, found.pixel_format) == (row["codec"], row["pix_fmt"])
            assert found.rotation == int(row["rotation"] or 0)
            size = (found.height, found.width) if row["rotation"] else (found.width, found.height)
            assert size == (int(row["w"]), int(row["h"]))
            assert found.fps == pytest.approx(float(row["fps"]), abs=0.01)
        if expected == "truncated":
            assert f"after frame {row['frames']} of {row['header_frames']}" in found.detail
        assert bool(found.detail) == (expected != "ok")


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    file = tmp_path_factory.mktemp("videos") / "sound.mp4"
    write_mp4(file, FRAMES, 10)
    return file


def test_an_intact_file(video):
    found = check_video(str(video))
    assert (found.verdict, found.usable, found.detail) == ("ok", True, "")
    assert (found.width, found.height, found.frames, found.fps) == (64, 48, 30, 10)
    assert found.seconds == pytest.approx(2.9)
    assert len(found.sha256) == 16


def test_a_truncated_and_a_missing_file(video, tmp_path):
    data = video.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 2 // 3])
    found = check_video("cut.mp4", tmp_path)
    assert (found.verdict, found.usable) == ("truncated", False)
    assert 0 < found.frames < 30
    assert f"ends after frame {found.frames} of 30" in found.detail
    assert check_video("none.mp4", tmp_path).verdict == "absent"


def test_a_stream_that_changes_its_size(tmp_path):
    file = tmp_path / "changing.ts"
    parts = []
    for size in ((48, 64), (32, 64)):
        part = tmp_path / f"{size[0]}.ts"
        with av.open(str(part), "w", format="mpegts") as container:
            stream = container.add_stream("mpeg2video", rate=25)
            stream.height, stream.width = size
            stream.pix_fmt = "yuv420p"
            for frame in FRAMES[:10, : size[0], : size[1]]:
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
                container.mux(stream.encode(picture))
            container.mux(stream.encode())
        parts.append(part.read_bytes())
    file.write_bytes(b"".join(parts))
    found = check_video(str(file))
    assert found.verdict == "changed size"
    assert found.detail == "64x48 then 64x32"
    assert found.usable


def test_frames_with_concealed_errors_are_counted(tmp_path):
    file, blocks = tmp_path / "flipped.mp4", FRAMES[0, :20, :24].repeat(8, axis=0).repeat(8, axis=1)
    moving = [blocks[k % 30 :, k % 40 :][:96, :128] for k in range(60)]
    write_mp4(file, np.stack(moving), fps=25)
    whole = file.read_bytes()
    assert check_video(str(file)).scan == "progressive"
    found = []
    for place in range(len(whole) // 3, len(whole) * 2 // 3, len(whole) // 60):
        data = bytearray(whole)
        data[place] ^= 0xFF
        file.write_bytes(data)
        found.append(check_video(str(file)))
    # Whether the decoder notices depends on the position of the byte.
    damaged = [each for each in found if each.verdict == "damaged"]
    assert damaged
    assert all(each.frames == 60 and each.usable for each in damaged)
    assert re.fullmatch(r"the decoder concealed errors in \d+ of 60 frames", damaged[0].detail)


def test_a_truncated_matroska_file_ends_before_its_stated_duration(tmp_path):
    file = tmp_path / "cut.mkv"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for frame in np.tile(FRAMES, (5, 1, 1, 1)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    assert check_video(str(file)).verdict == "ok"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    found = check_video(str(file))
    assert found.verdict == "truncated"
    assert found.detail.endswith("s of 6 s")


def test_limits_end_a_file_early(video):
    found = check_video(str(video), limits=Limits(pixels=1000))
    assert (found.verdict, found.frames) == ("too large", 0)
    assert found.detail == "frames of 64x48 exceed the limit of 1000 pixels"
    found = check_video(str(video), limits=Limits(frames=7))
    assert (found.verdict, found.detail) == ("too large", "more than 7 frames")


def test_verdicts_go_into_tables_as_plain_values(video):
    values = dataclasses.asdict(check_video(str(video)))
    assert all(isinstance(value, (str, int, float)) for value in values.values())
