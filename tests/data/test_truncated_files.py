"""Tests intact files with fewer frames than their headers state, and truncated files."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.videos import numbered_frames, read_numbers, write_video
from vidjax.data.avi import is_whole_avi
from vidjax.data.decode import read_video
from vidjax.data.verdicts import check_video

FRAMES = numbered_frames(50)
# Each frame is encoded separately.
FRAMES[:, 16:] = np.random.default_rng(0).integers(0, 255, FRAMES[:, 16:].shape, np.uint8)


def test_official_clips_with_placeholder_packets_are_intact(shared):
    """XviD writes placeholder packets of one or six bytes for packed B-frames."""
    files = sorted((shared / "clips" / "ut_interaction").rglob("*.avi"))
    if not files:
        pytest.skip("no UT-Interaction clips are there")
    assert {file.name: check_video(str(file)).verdict for file in files} == {
        file.name: "ok" for file in files
    }


def cut_by_edit_list(source, file, start, end):
    """Copies packets from the key frame on; an edit list hides what is before `start` seconds."""
    with av.open(str(source)) as given, av.open(str(file), "w") as made:
        stream = given.streams.video[0]
        copy = made.add_stream_from_template(stream)
        offset = round(start / stream.time_base)
        for packet in given.demux(stream):
            if packet.dts is None or packet.pts * stream.time_base >= end:
                continue
            packet.pts, packet.dts = packet.pts - offset, packet.dts - offset
            packet.stream = copy
            made.mux(packet)
    return file


def test_frames_hidden_by_an_edit_list_are_not_missing(tmp_path):
    source = write_video(tmp_path / "long.mp4", FRAMES)
    file = cut_by_edit_list(source, tmp_path / "cut.mp4", Fraction(4, 5), Fraction(8, 5))
    found = check_video(str(file))
    assert (found.verdict, found.frames, found.stated_frames) == ("ok", 20, 40)
    assert read_numbers(read_video(file).frames) == list(range(20, 40))


def test_a_truncated_file_with_an_edit_list_is_detected(tmp_path):
    source = write_video(tmp_path / "long.mp4", FRAMES)
    plain = cut_by_edit_list(source, tmp_path / "plain.mp4", Fraction(4, 5), Fraction(8, 5))
    moved = tmp_path / "moved.mp4"
    with av.open(str(plain)) as given:
        (stream,) = given.streams.video
        last = [packet.pos for packet in given.demux(stream) if packet.pos is not None][-5]
    # The index is at the end of the file; the lost frames are cut out before it.
    data = bytearray(plain.read_bytes())
    box = data.find(b"stco")
    begin = struct.unpack_from(">I", data, box + 12)[0]
    assert begin < last < data.find(b"moov")
    struct.pack_into(">I", data, box + 12, begin + len(data) - last)
    moved.write_bytes(data)
    found = check_video(str(moved))
    assert found.verdict in ("truncated", "undecodable")


def chunks(data, begin, end):
    while begin + 8 <= end:
        (length,) = struct.unpack_from("<I", data, begin + 4)
        yield begin, data[begin : begin + 4], length
        begin += 8 + length + length % 2


def without_bytes(source, file, emptied):
    """Makes an AVI with empty chunks for some frames, which repeat the previous frame."""
    data, parts, index = source.read_bytes(), b"", b""
    for begin, name, length in chunks(data, 12, len(data)):
        if name == b"LIST" and data[begin + 8 : begin + 12] == b"movi":
            body = b"movi"
            frames = chunks(data, begin + 12, begin + 8 + length)
            for number, (place, kind, size) in enumerate(frames):
                content = b"" if number in emptied else data[place + 8 : place + 8 + size]
                key = 0x10 if number == 0 else 0
                index += kind + struct.pack("<III", key, len(body), len(content))
                body += (
                    kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
                )
            parts += b"LIST" + struct.pack("<I", len(body)) + body
            parts += b"idx1" + struct.pack("<I", len(index)) + index
        elif name != b"idx1":
            parts += data[begin : begin + 8 + length + length % 2]
    file.write_bytes(b"RIFF" + struct.pack("<I", len(parts) + 4) + b"AVI " + parts)
    return file


@pytest.fixture(scope="module")
def avi(tmp_path_factory):
    file = tmp_path_factory.mktemp("videos") / "whole.avi"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.options = {"bf": "0", "g": "1", "qscale": "2", "flags": "+qscale"}
        for frame in FRAMES:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return file


@pytest.mark.parametrize(
    "emptied", [[], [10, 11, 12, 30], [47, 48, 49], [*range(40, 50)], [*range(1, 50, 2)]],
    ids=["none", "some", "the last", "many at the end", "every second"],
)  # fmt: skip
def test_empty_frame_chunks_are_repeats_not_losses(avi, tmp_path, emptied):
    file = without_bytes(avi, tmp_path / "repeats.avi", emptied)
    found = check_video(str(file))
    assert (found.verdict, found.frames, found.stated_frames) == ("ok", 50 - len(emptied), 50)
    assert is_whole_avi(file)


def test_repeated_frames_are_shown_again(avi, tmp_path):
    file = without_bytes(avi, tmp_path / "repeats.avi", [10, 11, 12, 30])
    assert read_numbers(read_video(file).frames) == [
        *range(10), 9, 9, 9, *range(13, 30), 29, *range(31, 50),
    ]  # fmt: skip


@pytest.mark.parametrize("share", [0.7, 0.8, 0.9, 0.95])
def test_a_truncated_avi_is_detected(avi, tmp_path, share):
    data = avi.read_bytes()
    # The index at the end is always lost.
    frames = data.find(b"idx1")
    file = tmp_path / "cut.avi"
    file.write_bytes(data[: round(frames * share)])
    found = check_video(str(file))
    assert not is_whole_avi(file)
    assert found.verdict == "truncated"
    assert 0 < found.frames < 50


def test_a_frame_count_that_is_too_high_is_not_a_truncation(avi, tmp_path):
    data = bytearray(avi.read_bytes())
    assert check_video(str(avi)).stated_frames == 50
    place = data.find(b"strh") + 8 + 32
    assert struct.unpack_from("<I", data, place)[0] == 50
    struct.pack_into("<I", data, place, 80)
    file = tmp_path / "lying.avi"
    file.write_bytes(data)
    found = check_video(str(file))
    assert (found.verdict, found.frames, found.stated_frames) == ("ok", 50, 80)


def test_other_formats_are_not_complete_avis(tmp_path):
    (tmp_path / "x.avi").write_bytes(b"RIFF\x04\0\0\0WAVE")
    (tmp_path / "empty.avi").write_bytes(b"")
    video = write_video(tmp_path / "v.mp4", FRAMES[:5])
    assert not any(map(is_whole_avi, [tmp_path / "x.avi", tmp_path / "empty.avi", video]))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_files_without_their_last_frames_are_truncated(tmp_path, suffix):
    file = write_video(tmp_path / f"video.{suffix}", FRAMES)
    assert check_video(str(file)).verdict == "ok"
    data = file.read_bytes()
    with av.open(str(file)) as container:
        places = [p.pos for p in container.demux(video=0) if p.pos is not None and p.pos > 0]
    # The frames are truncated; the MP4 keeps its index, which is moved to the front.
    if suffix == "mp4":
        box = data.find(b"moov") - 4
        index = bytearray(data[box:])
        place = index.find(b"stco") + 12
        begin = struct.unpack_from(">I", index, place)[0]
        struct.pack_into(">I", index, place, begin + len(index))
        head = data.find(b"ftyp") - 4
        length = struct.unpack_from(">I", data, head)[0]
        data = data[:length] + bytes(index) + data[length : places[30]]
    else:
        data = data[: places[30]]
    file.write_bytes(data)
    found = check_video(str(file))
    assert found.verdict == "truncated"
    assert 20 < found.frames <= 31
