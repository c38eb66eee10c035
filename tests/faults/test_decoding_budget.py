"""Tests the decoding limits for memory, pixels, frames and time in every reader of videos."""

import gc
import re
import subprocess
import sys
import time

import av
import cv2
import numpy as np
import pytest

from tests.commands import ROOT, run_command
from tests.faults import foreign_videos as foreign
from tests.faults.test_costly_videos import write_gif
from tests.videos import numbered_frames, write_video
from vidjax.data import annotations, catalog
from vidjax.data.containers import open_video
from vidjax.data.decode import DecodeError, probe, read_encoded, read_video
from vidjax.data.decode_limits import MOST_KEPT, DecodeLimitError, DecodeTimeoutError, Limits
from vidjax.data.encode import write_png
from vidjax.data.manifest import ManifestError
from vidjax.data.orientation import oriented_image
from vidjax.data.prepared import PreparedSplit, Record
from vidjax.data.transforms import decode_jpeg, encode_jpeg
from vidjax.data.verdicts import check_video
from vidjax.trained.preprocessing import Preprocessing, read_clip
from vidjax.trained.sliding_windows import windows
from vidjax.trained.video_record import as_record

SEEN = Preprocessing(16, 1, 112, 112, (0.5,) * 3, (0.5,) * 3)
# Memory beyond that of a process that has read a valid video: the largest frame at four bytes per
# pixel.
MEMORY = 300 * 2**20
BOMBS = {
    "pause.gif": lambda file: write_gif(file, 65_000, 1_000, [1, 60_000, 1]),
    "wide.gif": lambda file: write_gif(file, 60_000, 1_000, [1, 60_000, 1]),
    "square.gif": lambda file: write_gif(file, 8_192, 8_192, [1]),
    "table.mp4": lambda file: foreign.write_lying_mp4(file, 70_000_000),
    "most.mp4": lambda file: foreign.write_lying_mp4(file, 2**31 - 1),
    "fragment.mp4": lambda file: foreign.write_lying_fragments(file, 80_000_000),
    "long.mp4": lambda file: foreign.write_lying_mp4(file, 16, ticks=10**8),
    "claim.png": lambda file: foreign.write_lying_png(file, 8_192, 8_192),
    "larger.png": lambda file: foreign.write_lying_png(file, 60_000, 60_000),
}
READ_ALL = """
import resource, sys
from pathlib import Path
from tests.faults.test_decoding_budget import READERS
sound, *bombs = map(Path, sys.argv[1:])
for read in READERS.values():
    read(sound)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for bomb in bombs:
    for name, read in READERS.items():
        try:
            told = read(bomb)
        except ValueError as error:
            told = str(error)
        assert told, (bomb, name)
        assert len(told.splitlines()) == 1, told
        print(bomb.name, name, told, file=sys.stderr)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def _predicted(file):
    as_record(file, SEEN, SEEN.views())


def _judged(file):
    found = check_video(file.name, file.parent)
    return "" if found.usable else f"{found.verdict}: {found.detail}"


def _late_piece(file):
    """Reads a segment that starts late enough to be found by the file's index."""
    read_video(file, start=2.5, short_side=32)


def _streamed(file):
    for _ in windows(file, SEEN):
        pass
    read_clip(file, SEEN)


READERS = {
    "predicted": _predicted,
    "judged": _judged,
    "piece": _late_piece,
    "streamed": _streamed,
}


@pytest.fixture(scope="module")
def bombs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bombs")
    files = {name: write(folder / name) for name, write in BOMBS.items()}
    assert all(file.stat().st_size < 1000 for file in files.values())
    return files


def test_small_files_take_little_memory_in_every_reader(bombs, tmp_path):
    sound = write_video(tmp_path / "sound.mp4", numbered_frames(75))
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL, sound, *bombs.values()],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < MEMORY, done.stderr
    assert time.monotonic() - begin < 60


@pytest.mark.parametrize("name", BOMBS)
def test_a_header_is_read_within_the_budget(bombs, name):
    with pytest.raises(DecodeError, match=re.escape(name)):
        probe(bombs[name])


def test_predicting_a_bomb_ends_in_one_line(bombs, tiny_run):
    done = run_command(
        "experiments.predict", f"--workdir={tiny_run}", f"--video={bombs['square.gif']}"
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "8192x8192 in a file of 43 bytes exceed the limit" in line


def test_preparing_skips_and_lists_videos_beyond_the_limits(bombs, tmp_path):
    for number in range(5):
        write_video(tmp_path / "videos" / "walk" / f"{number}.mp4", numbered_frames(6))
    for name in ("square.gif", "fragment.mp4", "table.mp4"):
        (tmp_path / "videos" / "walk" / name).write_bytes(bombs[name].read_bytes())
    storage = catalog.Storage(bad_video_budget=0.9)
    request = catalog.Request(
        data_dir=tmp_path / "data", manifest=str(tmp_path / "videos"), workers=1, storage=storage
    )
    folder = catalog.prepare("video_folder", request)
    splits = [PreparedSplit(folder, split) for split in ("train", "test")]
    listed = {row["video"]: row["error"] for split in splits for row in split.broken}
    assert listed.keys() == {f"walk/{name}" for name in ("square.gif", "fragment.mp4", "table.mp4")}
    assert "exceed the limit" in listed["walk/square.gif"]
    assert sum(map(len, splits)) == 5


def test_decoding_has_a_time_limit_in_every_reader(tmp_path):
    file = write_gif(tmp_path / "slow.gif", 1_000, 1_000, [4] * 2_000)
    assert file.stat().st_size < 47_000
    begin = time.monotonic()
    with pytest.raises(DecodeError, match=r"decoding takes longer than 0\.\d+ s, the limit for 4"):
        read_encoded(file, encode_jpeg, seconds=5)
    with pytest.raises(DecodeError, match="decoding takes longer than"):
        read_video(file, start=70.0, seconds=5)
    found = check_video(file.name, tmp_path, Limits(seconds=1))
    assert (found.verdict, found.usable) == ("took too long", False)
    assert time.monotonic() - begin < 20
    # With a larger time limit, the beginning of the same file can be read.
    assert len(read_video(file, end=1.0, seconds=600, short_side=32).frames) == 25


def test_a_call_of_ffmpeg_that_reads_for_too_long_is_ended(tmp_path):
    file = write_video(tmp_path / "sound.mp4", numbered_frames(8))
    with (
        pytest.raises(DecodeTimeoutError, match="opening takes longer than"),
        open_video(file, Limits(seconds=1e-9)),
    ):
        pass


def test_a_size_that_grows_midway_is_refused_before_it_is_decoded(tmp_path):
    file = foreign.write_changing(tmp_path / "growing.h264", (64, 48), (640, 480))
    assert len(read_video(file).frames) == 10
    with pytest.raises(DecodeError, match=r"growing\.h264"):
        read_video(file, max_pixels=200 * 200)
    assert not check_video(file.name, tmp_path, Limits(pixels=200 * 200)).usable


def test_a_repeated_frame_counts_towards_the_limit(tmp_path):
    file = write_video(tmp_path / "held.mp4", numbered_frames(3), times=[0, 0.04, 599])
    with pytest.raises(DecodeError, match="more than 20000 frames at 1000 fps"):
        read_video(file, fps=1000)
    with pytest.raises(DecodeError, match="take more than the limit"):
        read_encoded(file, lambda _: bytes(MOST_KEPT // 1000), fps=25)
    assert len(read_encoded(file, encode_jpeg, fps=25).frames) == 14_976


def test_steps_of_years_do_not_become_frames(tmp_path):
    file = write_video(tmp_path / "years.mp4", numbered_frames(6), times=[0, 0.04, 0.08, 1e6, 2e6, 2e6 + 0.04])  # fmt: skip  # noqa: E501
    assert len(read_encoded(file, encode_jpeg, fps=25).frames) <= 7


def test_a_decoded_frame_is_freed_at_once(tmp_path):
    """Python collects reference cycles only occasionally, and a frame may take 200 megabytes."""
    file = write_video(tmp_path / "sound.mp4", numbered_frames(8))
    gc.collect()
    gc.disable()
    try:
        with open_video(file) as (container, stream):
            frames = list(container.decode(stream))
            assert _frames_alive() >= len(frames)
            for frame in frames:
                oriented_image(frame)
            del frame, frames
            left = _frames_alive()
    finally:
        gc.enable()
    # The frame that the decoder will fill next.
    assert left <= 1


def _frames_alive():
    # Not `isinstance`, because some objects of torch warn when their class is read.
    return sum(issubclass(type(each), av.VideoFrame) for each in gc.get_objects())


def test_views_of_large_stored_frames_hold_one_of_them_at_a_time():
    record = Record([encode_jpeg(np.full((600, 800, 3), 30 * k, np.uint8)) for k in range(4)], 0, "x", 25.0)  # fmt: skip  # noqa: E501
    seen = []

    def small(frames):
        seen.append(frames.shape)
        return frames[:, :8, :8]

    frames = record.decode(np.array([0, 0, 3, -1]), small)
    assert seen == [(1, 600, 800, 3)] * 2
    assert frames.shape == (4, 8, 8, 3)
    np.testing.assert_allclose(frames[:, 4, 4, 0], [0, 0, 90, 0], atol=1)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_stored_image_that_claims_to_be_huge_is_refused(tmp_path, suffix):
    frame = numbered_frames(1)[0]
    data = bytearray(cv2.imencode(suffix, frame[..., ::-1])[1].tobytes())
    np.testing.assert_allclose(decode_jpeg(bytes(data)), frame, atol=30)
    place = data.index(b"IHDR") + 4 if suffix == ".png" else data.index(b"\xff\xc0") + 5
    data[place : place + 8 if suffix == ".png" else place + 4] = (
        foreign.numbers(60_000, 60_000) if suffix == ".png" else b"\xea\x60\xea\x60"
    )
    with pytest.raises(ValueError, match="60000x60000 exceeds the limit of 67108864 pixels"):
        decode_jpeg(bytes(data))


@pytest.mark.parametrize("suffix", [".tiff", ".bmp", ".webp"])
def test_stored_images_of_other_formats_are_refused(suffix):
    data = cv2.imencode(suffix, numbered_frames(1)[0])[1].tobytes()
    with pytest.raises(ValueError, match="not a readable JPEG or PNG"):
        decode_jpeg(data)


def test_the_error_for_an_image_that_cannot_be_encoded_names_it(tmp_path):
    strip = np.zeros((1, 70_000, 3), np.uint8)
    with pytest.raises(ValueError, match="70000x1 pixels cannot be stored as JPEG"):
        encode_jpeg(strip)
    with pytest.raises(OSError, match="nowhere"):
        write_png(tmp_path / "nowhere" / "x.png", strip)
    write_png(tmp_path / "x.png", strip)
    np.testing.assert_array_equal(read_video(write_small(tmp_path)).frames[0], small_picture())


def small_picture():
    return numbered_frames(1)[0]


def write_small(folder):
    write_png(folder / "small.png", small_picture())
    return folder / "small.png"


def test_the_format_of_an_image_is_detected_from_its_contents(tmp_path):
    data = encode_jpeg(small_picture(), 100)
    for name in ("x.jpg", "x.png", "x.mp4", "x"):
        (tmp_path / name).write_bytes(data)
        assert read_video(tmp_path / name).frames.shape == (1, 48, 64, 3), name


def test_files_without_an_image_are_refused_with_the_reason(tmp_path):
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        sound.rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    (tmp_path / "subtitles.mp4").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n\n" * 20)
    (tmp_path / "subtitles.mkv").write_text("[Script Info]\nScriptType: v4.00+\n\n[Events]\n" * 9)
    unknown = write_video(tmp_path / "unknown.mp4", numbered_frames(4))
    unknown.write_bytes(unknown.read_bytes().replace(b"avc1", b"zzzz"))
    expected = {
        "sound.mp4": ("no video stream", "no video stream"),
        "subtitles.mp4": ("undecodable", "not a readable video"),
        "subtitles.mkv": ("undecodable", "not a readable video"),
        "unknown.mp4": ("undecodable", "no decoder for its codec"),
    }
    for name, (verdict, words) in expected.items():
        with pytest.raises(DecodeError, match=words):
            as_record(tmp_path / name, SEEN, SEEN.views())
        found = check_video(name, tmp_path)
        assert found.verdict == verdict, name
        assert words in found.detail


def test_limit_errors_are_decoding_errors():
    assert issubclass(DecodeTimeoutError, DecodeLimitError)
    assert issubclass(DecodeLimitError, DecodeError)


DOORS = {
    r"av\.open\(": {"vidjax/data/containers.py", "vidjax/data/encode.py"},
    r"\bVideoCapture\(": {"experiments/benchmark/decoders.py"},
    r"\bimdecode\(": {"vidjax/data/transforms.py"},
    r"\bVideoReader\(": {"experiments/benchmark/decoders.py"},
    r"\b(imread|imreadmulti|Image\.open|decode_video|decode_gif)\(": set(),
}


@pytest.mark.parametrize("opening", DOORS)
def test_media_are_opened_in_one_place(opening):
    sources = (file for part in ("vidjax", "experiments") for file in (ROOT / part).rglob("*.py"))
    found = {str(f.relative_to(ROOT)) for f in sources if re.search(opening, f.read_text("utf-8"))}
    assert found == DOORS[opening]


@pytest.mark.slow
def test_the_number_of_workers_has_a_maximum():
    done = run_command("experiments.check_videos", "videos", "--output=x.csv", "--workers=5000")
    assert done.returncode == 2
    assert "4096" in done.stderr


def test_a_line_that_would_match_slowly_is_refused_at_once(tmp_path):
    from vidjax.data.builders.egtea_gaze_plus import EGTEAGazePlus

    for blank in (" " * 4_000, " 1" * 2_000, " " * 10**6):
        (tmp_path / "action_idx.txt").write_text(f"Take{blank}cup\n")
        begin = time.process_time()
        with pytest.raises(
            ManifestError, match="line 1(: 'Take .*does not look like| has 1,000)"
        ) as told:
            EGTEAGazePlus.read(tmp_path)
        assert time.process_time() - begin < 1
        assert len(str(told.value)) < 1000
    (tmp_path / "lines.txt").write_text("Inspect/Read recipe 1\n")
    assert [m["name"] for _, m in annotations.lines(tmp_path / "lines.txt", r"(?P<name>.*\S)\s+\d+", "x 1")] == ["Inspect/Read recipe"]  # fmt: skip  # noqa: E501
