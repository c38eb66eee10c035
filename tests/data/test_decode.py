import csv
import os
from pathlib import Path

import av
import numpy as np
import pytest

from tests.conftest import shared_folder
from tests.videos import numbered_frames, read_numbers, write_interlaced, write_video
from vidjax.data.decode import DecodeError, open_frames, probe, read_encoded, read_video

HARD = shared_folder() / "clips" / "hard"


def hard_rows():
    if not (HARD / "hard.csv").is_file():
        return []
    with (HARD / "hard.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("videos") / "numbered.mp4", numbered_frames(50))


def test_frame_k_is_frame_k(video):
    decoded = read_video(video)
    assert decoded.frames.dtype == np.uint8
    assert read_numbers(decoded.frames) == list(range(50))
    np.testing.assert_allclose(decoded.timestamps, np.arange(50) / 25, atol=2e-3)
    assert decoded.fps == pytest.approx(25)


def test_a_segment_starts_and_ends_at_the_given_times(video):
    piece = read_video(video, start=0.4, end=1.2)
    assert read_numbers(piece.frames) == list(range(10, 30))


def test_deinterlaced_motion_has_no_comb_artefacts(tmp_path):
    pictures = np.full((40, 64, 128, 3), 30, np.uint8)
    for moment, picture in enumerate(pictures):
        # A bar with vertical edges: neighbouring rows differ only if their fields differ.
        picture[:, 3 * moment : 3 * moment + 8] = 220
    write_interlaced(tmp_path / "bar.mpg", pictures)
    with open_frames(tmp_path / "bar.mpg") as (_, frames):
        raw = np.stack([frame.to_ndarray(format="rgb24") for frame in frames])
    clean = read_video(tmp_path / "bar.mpg").frames
    assert clean.shape == raw.shape == (20, 64, 128, 3)

    def comb(frames):
        return np.abs(np.diff(frames[2:-2].astype(float), axis=1)).mean()

    assert comb(clean) < 0.2 * comb(raw)


def test_cover_art_is_not_the_video(tmp_path):
    with av.open(str(tmp_path / "cover.mp4"), "w") as container:
        art = container.add_stream("mjpeg", rate=1)
        art.width, art.height, art.pix_fmt = 64, 64, "yuvj420p"
        art.disposition = av.stream.Disposition.attached_pic
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        black = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux([*art.encode(black), *art.encode()])
        for frame in numbered_frames(12):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    assert read_numbers(read_video(tmp_path / "cover.mp4").frames) == list(range(12))


@pytest.mark.parametrize("name", ["far.mp4", "far.mkv"])
def test_frames_long_before_a_segment_are_not_decoded(tmp_path, name):
    path = write_video(tmp_path / name, numbered_frames(200), fps=10, key_every=20)
    piece = read_video(path, start=15.2, end=16.5, max_frames=60)
    assert read_numbers(piece.frames) == list(range(152, 165))
    np.testing.assert_allclose(piece.timestamps, np.arange(152, 165) / 10, atol=2e-3)
    with pytest.raises(DecodeError, match="more than 60 frames"):
        read_video(path, max_frames=60)


def test_a_late_segment_is_the_same_if_the_file_is_read_from_its_start(tmp_path):
    path = write_video(tmp_path / "far.ts", numbered_frames(100), fps=10, key_every=20)
    assert read_numbers(read_video(path, start=7.0, end=8.0).frames) == list(range(70, 80))
    with pytest.raises(DecodeError, match="without frames between 11"):
        read_video(path, start=11.0)


def test_resampling_takes_the_latest_frame_at_each_time(video):
    assert read_numbers(read_video(video, fps=12.5).frames) == list(range(0, 50, 2))
    assert read_numbers(read_video(video, fps=50).frames)[:6] == [0, 0, 1, 1, 2, 2]


def test_a_variable_frame_rate_is_resampled_to_a_uniform_grid(tmp_path):
    # Ten frames at 10 per second, a pause of one second, then ten more.
    times = [k / 10 for k in range(10)] + [1.9 + k / 10 for k in range(10)]
    path = write_video(tmp_path / "vfr.mp4", numbered_frames(20), fps=10, times=times)
    decoded = read_video(path, fps=10)
    assert read_numbers(decoded.frames) == [*range(9), *[9] * 10, *range(9, 20)][0:9] + [9] * 10 + [
        *range(10, 20)
    ]
    steps = np.diff(read_video(path).timestamps)
    np.testing.assert_allclose(steps, steps[0])


@pytest.mark.parametrize("clip", [1, 3])
def test_avi_frames_are_returned_in_display_order(shared, clip):
    """Some files of UCF-101 store and time their frames in another order."""
    path = shared / f"clips/ucf101_few/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c0{clip}.avi"
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    times = [frame.time for frame in frames]
    assert sorted(times) != times
    decoded = read_video(path)
    shown = np.stack([frame.to_ndarray(format="rgb24") for frame in frames])
    np.testing.assert_array_equal(decoded.frames, shown)
    np.testing.assert_allclose(np.diff(decoded.timestamps), 1 / 25)


def test_the_short_side_is_reduced_and_never_enlarged(video):
    assert read_video(video, short_side=24).frames.shape == (50, 24, 32, 3)
    assert read_video(video, short_side=500).frames.shape == (50, 48, 64, 3)


def test_the_header_is_reported(video):
    info = probe(video)
    assert (info.width, info.height, info.rotation, info.frames) == (64, 48, 0, 50)
    assert info.codec == "h264"
    assert info.duration == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_frames": 10}, "more than 10 frames"),
        ({"max_pixels": 1000}, "64x48 exceed the limit of 1000"),
        ({"start": 90.0}, "without frames between 90 s"),
        ({"fps": 1e6}, "more than 20000 frames at"),
    ],
)
def test_limits_are_named(video, arguments, message):
    with pytest.raises(DecodeError, match=message):
        read_video(video, **arguments)


@pytest.mark.parametrize(("content", "name"), [(b"", "empty.mp4"), (b"text" * 99, "text.mp4")])
def test_files_that_are_not_videos_are_named(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DecodeError, match=f"{name}: not a readable video"):
        read_video(tmp_path / name)
    with pytest.raises(DecodeError, match="gone.mp4: no such file"):
        read_video(tmp_path / "gone.mp4")


@pytest.mark.skipif(not hard_rows(), reason=f"no reference data at {HARD}; set VIDJAX_SHARED")
@pytest.mark.parametrize("row", hard_rows(), ids=lambda row: row["file"])
def test_hard_files_decode_as_recorded(row):
    path = HARD / row["file"]
    result, frames = row["result"], int(row["frames"] or 0)
    if result == "decodes":
        decoded = read_video(path)
        width, height = int(row["w"]), int(row["h"])
        if int(row["rotation"] or 0) % 180:
            width, height = height, width
        assert decoded.frames.shape == (frames, height, width, 3)
        assert decoded.error is None
        assert probe(path).fps == pytest.approx(float(row["fps"]), rel=1e-3)
    elif frames:
        with pytest.raises(DecodeError, match=f"broken after {frames} frames"):
            read_video(path)
        part = read_video(path, partial=True)
        assert len(part.frames) == frames
        assert "broken after" in part.error
    else:
        reason = "no video stream" if "no video stream" in result else "not a readable video"
        with pytest.raises(DecodeError, match=reason):
            read_video(path)


def test_rotated_videos_are_decoded_upright(shared):
    stored = read_video(shared / "clips/hard/ok_reference.mp4").frames
    turned = read_video(shared / "clips/hard/rotated90.mp4").frames
    difference = np.abs(np.rot90(stored, axes=(1, 2)).astype(int) - turned)
    assert difference.mean() < 2


def test_a_decoder_leaves_no_file_open(video):
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    for _ in range(5):
        read_video(video, end=0.2)
        probe(video)
    after = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    assert after <= before


def test_frames_encoded_while_decoding_are_those_of_the_video(video, tmp_path):
    varied = write_video(
        tmp_path / "vfr.mkv", numbered_frames(6), times=[0, 0.04, 0.08, 0.6, 0.64, 0.68]
    )
    for file, more in ((video, {}), (video, {"fps": 12.5, "start": 0.4}), (varied, {"fps": 25})):
        whole = read_video(file, short_side=24, **more)
        encoded = read_encoded(file, lambda frame: frame.tobytes(), short_side=24, **more)
        assert encoded.frames == [frame.tobytes() for frame in whole.frames]
        np.testing.assert_array_equal(encoded.timestamps, whole.timestamps)
        assert encoded.fps == whole.fps
    with pytest.raises(DecodeError, match="more than 10 frames"):
        read_encoded(video, np.ndarray.tobytes, max_frames=10)
