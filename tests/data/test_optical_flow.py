"""Tests optical flow against textures moved by known distances, and its storage."""

import dataclasses
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest

from tests.videos import write_video
from vidjax.data import catalog, optical_flow, transforms
from vidjax.data.decode import DecodeError, read_video
from vidjax.data.flow_extraction import chosen_fields
from vidjax.data.flow_visualization import flow_to_rgb
from vidjax.data.optical_flow import Flow
from vidjax.data.pipeline import Augmentation, ClipShape, batch_shapes, train_batches
from vidjax.data.prepared import PreparedSplit, channels_of
from vidjax.data.video_stream import stream_video
from vidjax.data.views import Views, view_batches
from vidjax.trained.preprocessing import Preprocessing, read_clip
from vidjax.trained.sliding_windows import windows
from vidjax.trained.video_record import as_record

# For each video, how many pixels its texture moves per frame, to the right and down.
MOVES = {"right": (3, 1), "left": (-2, 2)}
FRAMES, HEIGHT, WIDTH = 9, 64, 96
STORED = Flow("dis", 8.0)
HERE = ["dis", "farneback"] + (["tvl1"] if hasattr(cv2, "optflow") else [])


def texture(seed=0, height=HEIGHT, width=WIDTH):
    """Makes a smooth periodic image `[H, W, 3]`."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3))
    across, down = np.fft.fftfreq(width), np.fft.fftfreq(height)[:, None]
    low = np.exp(-((across**2 + down**2) * 150))
    smooth = np.fft.ifft2(np.fft.fft2(noise, axes=(0, 1)) * low[..., None], axes=(0, 1)).real
    return np.rint(128 + 40 * smooth / smooth.std()).clip(0, 255).astype(np.uint8)


def moving(x, y, count=FRAMES):
    first = texture()
    return np.stack([np.roll(first, (y * k, x * k), (0, 1)) for k in range(count)])


def inside(field):
    """Crops the edges, where new parts of the texture appear."""
    return field[..., 16:-16, 16:-16, :]


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    root = tmp_path_factory.mktemp("moving")
    for label, move in MOVES.items():
        for split in ("train", "test"):
            write_video(root / split / label / "a.mp4", moving(*move))
    write_video(root / "train/left/still.mp4", moving(0, 0, 1))
    return root


def prepare(videos, data_dir, form=STORED, **changes):
    storage = catalog.Storage(HEIGHT, quality=95, bad_video_budget=0.5, flow=form)
    usual = {"workers": 1, "note": lambda text: None}
    request = catalog.Request(data_dir, storage, manifest=str(videos), **usual | changes)
    return catalog.prepare("video_folder", request)


@pytest.fixture(scope="module")
def prepared(videos):
    return prepare(videos, videos.parent / "data")


def records(prepared, split="train", pairs=1):
    source = PreparedSplit(prepared, split, pairs=pairs)
    return {source.classes[record.label]: record for record in map(source.__getitem__, range(2))}


@pytest.mark.parametrize("method", HERE)
@pytest.mark.parametrize("move", [(3, 1), (-2, 2), (0, -4), (0, 0)])
def test_flow_equals_the_motion_of_a_texture(method, move):
    (field,) = Flow(method, 20.0).between(moving(*move, count=2))
    assert field.shape == (HEIGHT, WIDTH, 2)
    found = Flow(method, 20.0).pixels(inside(field)).reshape(-1, 2)
    # Half a quantization step is 0.08 pixels.
    np.testing.assert_allclose(np.median(found, axis=0), move, atol=0.1)
    assert np.mean(np.abs(found - move).max(axis=1) < 0.5) > 0.95


def test_flow_is_stored_on_the_scale_of_the_two_stream_papers():
    pixels = np.array([-50, -20, -10, -0.1, 0, 0.1, 7, 20, 21], np.float32)
    expected = [np.rint(255 * (min(max(v, -20), 20) + 20) / 40) for v in pixels.astype(float)]
    stored = Flow("dis", 20.0).stored(pixels)
    assert stored.tolist() == expected
    assert stored[4] == optical_flow.STILL == 128
    back = Flow("dis", 20.0).pixels(stored)
    assert np.abs(back - pixels.clip(-20, 20)).max() <= 20 / 255 + 1e-5


def test_a_prepared_data_set_has_the_motion_of_its_videos(prepared):
    for label, record in records(prepared).items():
        assert record.length == FRAMES - 1
        found = STORED.pixels(inside(record.decode(np.arange(FRAMES - 1))))
        np.testing.assert_allclose(np.median(found, axis=(1, 2)), [MOVES[label]] * 8, atol=0.15)


def test_a_stack_has_successive_fields_with_x_and_y_alternating(prepared):
    one, three = (records(prepared, pairs=pairs)["right"] for pairs in (1, 3))
    assert three.length == FRAMES - 1 - 2
    fields = one.decode(np.arange(FRAMES - 1))
    shown = three.decode(np.array([5, 0, -1]))
    np.testing.assert_array_equal(shown[0], np.concatenate(fields[5:8], axis=-1))
    np.testing.assert_array_equal(shown[1][..., 3], fields[1][..., 1])
    assert (shown[2] == optical_flow.STILL).all()


def test_a_video_of_too_few_fields_repeats_the_last(prepared):
    record = records(prepared, pairs=12)["left"]
    assert record.length == 1
    shown = record.decode(np.array([0]))[0]
    np.testing.assert_array_equal(shown[..., 14:16], shown[..., 22:24])
    assert shown.shape == (HEIGHT, WIDTH, 24)


def test_the_x_flow_of_a_mirrored_clip_is_negated(prepared):
    frames = records(prepared, pairs=2)["right"].decode(np.array([0, 4]))
    mirrored = transforms.flip(frames)
    np.testing.assert_array_equal(mirrored[..., 1::2], frames[:, :, ::-1, 1::2])
    found = STORED.pixels(inside(mirrored))
    x, y = MOVES["right"]
    np.testing.assert_allclose(np.median(found, axis=(1, 2)), [[-x, y] * 2] * 2, atol=0.2)
    # The flow of a mirrored video is the same.
    (field,) = STORED.between(moving(x, y, 2)[:, :, ::-1])
    np.testing.assert_allclose(np.median(STORED.pixels(inside(field)), (0, 1)), [-x, y], atol=0.1)


def test_training_only_crops_resizes_and_mirrors_flow(prepared):
    source = PreparedSplit(prepared, "train", pairs=5)
    assert channels_of(source) == 10
    shape, augmentation = ClipShape(2, size=40, sampling="segments"), Augmentation(flip=0.5)
    batches = train_batches(source, shape, augmentation, batch_size=2, seed=3)
    shapes = {name: (array.shape, array.dtype) for name, array in batches[0].items()}
    assert shapes == batch_shapes(shape, augmentation, 2, channels=10)
    seen = set()
    for number in range(12):
        batch = batches[number]
        for clip, label in zip(batch["clip"], batch["label"], strict=True):
            x, y = MOVES[source.classes[label]]
            moves = np.median(STORED.pixels(clip[:, 8:-8, 8:-8]), axis=(0, 1, 2)).reshape(5, 2)
            sign = 1 if moves[0, 0] * x > 0 else -1
            np.testing.assert_allclose(moves, [(sign * x, y)] * 5, atol=0.3)
            seen.add((x, sign))
    assert len(seen) == 4
    parts = [
        train_batches(
            source, shape, augmentation, batch_size=2, seed=3, process_index=k, process_count=2
        )[7]
        for k in range(2)
    ]
    whole = batches[7]["clip"]
    np.testing.assert_array_equal(np.concatenate([part["clip"] for part in parts]), whole)


def test_many_channels_are_resized_as_each_alone():
    clip = np.random.default_rng(0).integers(0, 256, (2, 30, 50, 10), dtype=np.uint8)
    for size in ((20, 20), (45, 80)):
        apart = [transforms.resize(clip[..., k : k + 1], size) for k in range(10)]
        apart = np.stack([each.reshape(2, *size) for each in apart], axis=-1)
        np.testing.assert_array_equal(transforms.resize(clip, size), apart)


def test_views_of_evaluation_and_of_a_file_are_the_same(prepared, videos):
    seen = Preprocessing(
        3, 1, 48, 56, (0.5,) * 2, (0.2,) * 2, sampling="segments", stored_side=HEIGHT, quality=95
    )
    seen = dataclasses.replace(seen, flow=STORED, pairs=2)
    views = seen.views(crops=10)
    source = PreparedSplit(prepared, "test", pairs=2)
    (batch,) = view_batches(source, views, batch_size=4)
    assert batch["clip"].shape == (4, 10, 3, 48, 48, 4)
    assert batch["mask"].tolist() == [True, True, False, False]
    for crops, label in zip(batch["clip"], batch["label"][:2], strict=False):
        file = videos / "test" / source.classes[label] / "a.mp4"
        record = as_record(file, seen, views)
        np.testing.assert_array_equal(views.cut(record, 0), crops)
        np.testing.assert_array_equal(crops[5:], [transforms.flip(crop) for crop in crops[:5]])


@pytest.mark.parametrize("count", [3, FRAMES])
def test_a_clip_and_the_windows_of_a_file_are_the_flow_of_its_frames(tmp_path, count):
    file = write_video(tmp_path / "video.mp4", moving(2, 1, count))
    seen = Preprocessing(2, 2, 40, 40, (0.5,) * 2, (0.25,) * 2, flow=STORED, pairs=2)
    frames = read_video(file, short_side=40).frames
    fields = np.stack(list(STORED.between(frames)))
    places = max(1, len(fields) - 1)

    def cut(place):
        first = [min(place + k, len(fields) - 1) for k in (0, 1)]
        second = [min((place + 2) % places + k, len(fields) - 1) for k in (0, 1)]
        shown = [np.concatenate(fields[own], axis=-1) for own in (first, second)]
        return transforms.center_crop(np.stack(shown), 40)

    middle = max(0, places - 3) // 2
    clip = read_clip(file, seen)
    np.testing.assert_array_equal(clip, seen.normalized(cut(middle)))
    expected = (cut(middle) / np.float32(255) - 0.5) / 0.25
    np.testing.assert_allclose(clip, expected, atol=1e-5)
    found = list(windows(file, seen, window_stride=1 / 25))
    assert len(found) == max(1, len(fields) - 3)
    np.testing.assert_array_equal(found[0].crops[0], cut(0))
    assert found[-1].end == pytest.approx(count / 25)
    np.testing.assert_array_equal(found[-1].crops[0], cut(len(found) - 1))


def test_chosen_fields_equal_those_of_the_whole_video(videos):
    file = videos / "test/left/a.mp4"
    whole = list(STORED.between(read_video(file).frames))
    some = dict(chosen_fields(stream_video(file), {6, 1, 2}, STORED, file))
    assert sorted(some) == [1, 2, 6]
    for number, field in some.items():
        np.testing.assert_array_equal(field, whole[number])


def test_preparing_again_elsewhere_gives_the_same_bytes(prepared, videos, tmp_path):
    again = prepare(videos, tmp_path, workers=2)
    assert again.parent.name == prepared.parent.name
    for file in prepared.glob("*.array_record-*"):
        assert file.read_bytes() == (again / file.name).read_bytes()


def test_frames_and_other_flow_settings_give_other_data_sets(prepared, videos):
    data_dir = videos.parent / "data"
    forms = [None, STORED, Flow("dis", 20.0), Flow("farneback", 8.0)]
    folders = [prepare(videos, data_dir, form) for form in forms]
    assert len(set(folders)) == 4
    assert folders[1] == prepared
    assert folders == [prepare(videos, data_dir, form) for form in forms]
    assert [channels_of(PreparedSplit(each, "train")) for each in folders] == [3, 2, 2, 2]


def test_a_video_of_one_frame_is_excluded_by_name(prepared, videos):
    (row,) = PreparedSplit(prepared, "train").broken
    assert row["video"] == "train/left/still.mp4"
    assert row["error"].endswith("still.mp4: a video with a single frame has no flow")
    seen = Preprocessing(2, 2, 40, 40, (0.5,) * 2, (0.25,) * 2, flow=STORED, pairs=2)
    file = videos / "train/left/still.mp4"
    for look in (
        lambda: read_clip(file, seen),
        lambda: as_record(file, seen, seen.views()),
        lambda: list(windows(file, seen)),
    ):
        with pytest.raises(DecodeError, match="a video with a single frame has no flow"):
            look()


def test_any_tfds_user_can_read_it(prepared):
    code = (
        "import tensorflow_datasets as tfds\n"
        f"builder = tfds.builder_from_directory({str(prepared)!r})\n"
        "example = builder.as_data_source(split='test')[0]\n"
        "print(*(len(example[name]) for name in ('flow_x', 'flow_y')), example['flow_y'][0].shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"8 8 ({HEIGHT}, {WIDTH}, 1)"


def test_a_video_too_small_for_the_method_counts_as_broken(tmp_path):
    file = write_video(tmp_path / "tiny.mp4", moving(1, 1)[:, :8, :8])
    stream = stream_video(file)
    with pytest.raises(
        DecodeError, match=r"tiny.mp4: OpenCV cannot compute dis flow of frames of 8x8"
    ):
        list(chosen_fields(stream, {0}, STORED, file))


@pytest.mark.skipif(hasattr(cv2, "optflow"), reason="this OpenCV has TV-L1")
def test_methods_that_opencv_lacks_are_refused_before_anything_is_written(videos, tmp_path):
    with pytest.raises(ValueError, match="this OpenCV .* has no tvl1 flow") as caught:
        prepare(videos, tmp_path / "data", Flow("tvl1"))
    assert "opencv-contrib-python-headless (pip uninstall, then pip install)" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("settings", [{"method": "brox"}, {"bound": 0.0}, {"bound": float("nan")}])
def test_other_methods_and_bounds_are_refused(settings):
    (name,) = settings
    with pytest.raises(ValueError, match=re.escape(f"flow {name} = ")):
        Flow(**settings)


def test_an_image_of_flow_has_a_hue_for_each_direction():
    x = np.array([[40, 0, -40, 0, 0]])
    y = np.array([[0, 40, 0, -40, 0]])
    stored = (np.stack([x, y], -1) + optical_flow.STILL).astype(np.uint8)[None, None]
    right, down, left, up, still = flow_to_rgb(stored)[0, 0, 0].tolist()
    assert (right, still) == ([255, 0, 0], [255, 255, 255])
    expected = [[0, 255, 255], [127.5, 255, 0], [127.5, 0, 255]]
    np.testing.assert_allclose([left, down, up], expected, atol=0.5)


def test_views_say_how_many_are_distinct(prepared):
    record = records(prepared, "test", pairs=5)["left"]
    shape = ClipShape(1, 1, HEIGHT)
    assert Views(9, 3, HEIGHT, shape).distinct(record) == (record.length, 3) == (4, 3)
