"""Tests features of many videos in one file against those of single clips."""

import csv
import dataclasses

import jax
import numpy as np
import pytest

from tests.trained.made import NAME, OPTIONS, write_checkpoint
from tests.videos import numbered_frames, write_video
from vidjax.data.video_list import list_videos
from vidjax.progress import ProgressLine
from vidjax.storage.ownership import InUseError, owned
from vidjax.storage.writing import LinkError
from vidjax.trained.feature_extraction import Extraction, extract
from vidjax.trained.feature_files import unfinished
from vidjax.trained.feature_files.files import read_features
from vidjax.trained.feature_files.table import COLUMNS, FeaturesError
from vidjax.trained.open_weights import open_weights
from vidjax.trained.preprocessing import Preprocessing
from vidjax.trained.sliding_windows import windows
from vidjax.trained.video_record import as_record

ROWS = [
    ("a.mp4", "walk", "train", "", "", "anna"),
    ("b.mp4", "run", "fold2", "0.2", "0.8", ""),
    ("gone.mp4", "run", "test", "", "", ""),
    ("c.mp4", "", "", "", "", ""),
]
LONG = Extraction(window_stride=0.2, batch_size=2)


class Interrupting(ProgressLine):
    """Presses Ctrl-C after a number of rows."""

    def __init__(self, calls):
        super().__init__(silent=True)
        self.left = calls

    def show(self, text, *, final=False):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    file = write_checkpoint(tmp_path_factory.mktemp("weights") / "made.safetensors")
    found = open_weights(f"{NAME}:{file}", OPTIONS)
    seen = Preprocessing(4, 1, 16, 20, found.preprocessing.mean, found.preprocessing.std)
    return dataclasses.replace(found, preprocessing=seen)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Writes three videos and a CSV that lists one more."""
    root = tmp_path_factory.mktemp("videos")
    for place, name in enumerate("abc"):
        frames = numbered_frames(20 + 10 * place, 24 + 4 * place, 64)
        write_video(root / f"{name}.mp4", frames)
    with (root / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "label", "split", "start", "end", "group"], *ROWS])
    return root


@pytest.fixture
def take(trained, folder, tmp_path):
    """Extracts the features of the list and reads them."""

    def take(how=None, *, progress=None, name="f.npz", videos="list.csv"):
        progress = progress or ProgressLine(silent=True)
        given = trained, list_videos(folder / videos), tmp_path / name
        skipped = extract(*given, how or Extraction(), progress)
        return read_features(tmp_path / name), skipped

    return take


def by_hand(trained, crops):
    """Returns features of crops uint8 `[S, T, H, W, 3]` computed one by one, and their mean."""
    mean, std = np.array(trained.preprocessing.mean), np.array(trained.preprocessing.std)
    clips = ((crops / 255 - mean) / std).astype(np.float32)
    run = jax.jit(lambda v, x: trained.model.apply(v, x, train=False, mutable=["intermediates"]))
    sown = [run(trained.variables, clip[None])[1]["intermediates"] for clip in clips]
    return np.mean([np.asarray(each["pre_logits"][0][0]) for each in sown], axis=0)


def equal(a, b):
    for name in ("features", *COLUMNS):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_each_video_has_a_row_with_its_metadata(take, trained, folder):
    found, skipped = take()
    assert found.video.tolist() == ["a.mp4", "b.mp4", "c.mp4"]
    assert found.label.tolist() == ["walk", "run", ""]
    assert found.split.tolist() == ["train", "fold2", ""]
    assert found.group.tolist() == ["anna", "", ""]
    assert found.clip.tolist() == [0, 0, 0]
    # The four middle frames of 20, of 15 from 0.2 s on, and of 40, at 25 per second.
    np.testing.assert_allclose(found.start, [8 / 25, 0.2 + 5 / 25, 18 / 25], atol=1e-6)
    np.testing.assert_allclose(found.end, found.start + 4 / 25, atol=1e-6)
    pieces = {"a.mp4": {}, "b.mp4": {"start": 0.2, "end": 0.8}, "c.mp4": {}}
    for row, (name, piece) in zip(found.features, pieces.items(), strict=True):
        views = trained.preprocessing.views()
        crops = views.cut(as_record(folder / name, trained.preprocessing, views, **piece), 0)
        np.testing.assert_allclose(row, by_hand(trained, crops), rtol=1e-4, atol=1e-5)
    (lost,) = skipped
    assert lost.video == "gone.mp4"
    assert found.about["skipped"] == [{"video": "gone.mp4", "error": lost.error}]
    assert found.about["layer"] == "pre_logits"
    assert found.about["preprocessing"]["frames"] == 4


def test_an_average_is_the_mean_over_clips_and_crops(take, trained, folder):
    how = Extraction(clips=3, crops=3, average=False, batch_size=4)
    kept, _ = take(how, name="kept.npz")
    mean, _ = take(dataclasses.replace(how, average=True), name="mean.h5")
    assert kept.clip.tolist() == [0, 1, 2] * 3
    assert kept.start[:3].tolist() == [0, 8 / 25, 16 / 25]
    np.testing.assert_allclose(
        mean.features, kept.features.reshape(3, 3, -1).mean(axis=1), rtol=1e-5, atol=1e-6
    )
    assert mean.start.tolist() == kept.start[::3].tolist()
    assert mean.end.tolist() == kept.end[2::3].tolist()
    views = trained.preprocessing.views(3, 3)
    crops = views.cut(as_record(folder / "a.mp4", trained.preprocessing, views), 1)
    np.testing.assert_allclose(kept.features[1], by_hand(trained, crops), rtol=1e-4, atol=1e-5)


def test_windows_are_rows_with_start_and_end(take, trained, folder):
    found, _ = take(LONG)
    of_b = [
        *windows(folder / "b.mp4", trained.preprocessing, start=0.2, end=0.8, window_stride=0.2)
    ]
    rows = found.where(found.video == "b.mp4")
    assert len(of_b) == len(rows) == 3
    np.testing.assert_array_equal(rows.start, [each.start for each in of_b])
    np.testing.assert_array_equal(rows.end, [each.end for each in of_b])
    for row, window in zip(rows.features, of_b, strict=True):
        np.testing.assert_allclose(row, by_hand(trained, window.crops), rtol=1e-4, atol=1e-5)
    assert found.about["window_stride"] == 0.2


def test_features_of_a_stage_can_be_half_precision(take, trained, folder):
    whole, _ = take(Extraction(layer="stage1"), name="whole.npz")
    half, _ = take(Extraction(layer="stage1", dtype="float16"), name="half.h5")
    assert half.features.dtype == np.float16
    np.testing.assert_array_equal(half.features, whole.features.astype(np.float16))
    views = trained.preprocessing.views()
    crops = views.cut(as_record(folder / "a.mp4", trained.preprocessing, views), 0)
    alone = np.asarray(trained.features(crops, "stage1", pooled=False))
    np.testing.assert_allclose(whole.features[0], alone.mean(axis=(0, 1, 2, 3)), rtol=1e-4)


@pytest.mark.parametrize("calls", [1, 4, 9])
def test_an_interrupted_extraction_resumes_with_the_same_result(take, tmp_path, calls, monkeypatch):
    """One interruption is in the middle of a video, after its first windows."""
    expected, _ = take(LONG, name="whole.npz")
    with pytest.raises(KeyboardInterrupt):
        take(LONG, progress=Interrupting(calls))
    assert not (tmp_path / "f.npz").exists()
    piece = read_features(tmp_path / "f.npz.unfinished" / "000000.npz")
    assert 0 < len(piece) < len(expected)
    added = []
    monkeypatch.setattr(unfinished.Unfinished, "add", _counting(unfinished.Unfinished.add, added))
    found, skipped = take(LONG)
    equal(found, expected)
    assert len(added) == len(expected) - len(piece)
    assert [each.video for each in skipped] == ["gone.mp4"]
    assert (tmp_path / "f.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert not (tmp_path / "f.npz.unfinished").exists()


def _counting(method, seen):
    def counted(self, row):
        seen.append(row)
        return method(self, row)

    return counted


def test_rows_saved_one_by_one_are_the_same(take, tmp_path, monkeypatch):
    expected, _ = take(LONG, name="whole.h5")
    monkeypatch.setattr(unfinished, "_SAVED_EVERY", 0.0)
    found, _ = take(LONG, name="f.h5")
    equal(found, expected)
    assert (tmp_path / "f.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_other_settings_are_refused_in_one_line_and_change_nothing(take, tmp_path, folder):
    with pytest.raises(KeyboardInterrupt):
        take(LONG, progress=Interrupting(4))
    place = tmp_path / "f.npz.unfinished"
    there = {file: file.read_bytes() for file in place.glob("*.npz")}
    for how, words in (
        (
            dataclasses.replace(LONG, window_stride=0.4),
            "was begun with window_stride = 0.2, not 0.4: use the sam",
        ),
        (dataclasses.replace(LONG, layer="stem"), "was begun with layer = 'pre_logits', not 'stem"),
    ):
        with pytest.raises(FeaturesError, match=words):
            take(how)
    with pytest.raises(FeaturesError, match="was begun with videos = '4, sha256 .*, not '3, sha"):
        take(LONG, videos=".")
    assert {file: file.read_bytes() for file in place.glob("*.npz")} == there
    with owned(place), pytest.raises(InUseError, match="f.npz.unfinished is in use by process"):
        take(LONG)


def test_existing_files_are_not_overwritten(take, tmp_path):
    (tmp_path / "f.npz").write_text("mine")
    with pytest.raises(FeaturesError, match="f.npz exists already; choose another --output"):
        take()
    assert (tmp_path / "f.npz").read_text() == "mine"
    assert not (tmp_path / "f.npz.unfinished").exists()
    (tmp_path / "g.npz.unfinished").symlink_to(tmp_path)
    with pytest.raises(LinkError):
        take(name="g.npz")


def test_a_list_without_readable_videos_writes_nothing(trained, tmp_path):
    (tmp_path / "a.mp4").write_text("no video")
    given = trained, list_videos(tmp_path), tmp_path / "f.npz"
    with pytest.raises(FeaturesError, match="no video could be read: .*a.mp4: not a readable"):
        extract(*given, Extraction(), ProgressLine(silent=True))
    assert [each.name for each in tmp_path.iterdir()] == ["a.mp4"]


def test_features_that_are_not_finite_are_refused(trained, folder, tmp_path):
    head = jax.tree.map(lambda leaf: leaf * np.nan, trained.variables["params"]["stem_layer"])
    params = {**trained.variables["params"], "stem_layer": head}
    broken = dataclasses.replace(
        trained,
        read=lambda: dataclasses.replace(
            trained.read(), variables={**trained.variables, "params": params}
        ),
    )
    with pytest.raises(ValueError, match="features of a.mp4 are not finite in float32"):
        extract(
            broken, list_videos(folder), tmp_path / "f.npz", Extraction(), ProgressLine(silent=True)
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"window_stride": 0.0}, "--window_stride = 0.0: must be a number in"),
        ({"clips": 0}, "--clips = 0: must be a whole number"),
        ({"dtype": "int8"}, "--dtype = 'int8': must be one of float16, float32"),
    ],
)
def test_settings_have_ranges(settings, words):
    with pytest.raises(ValueError, match=words):
        Extraction(**settings)
