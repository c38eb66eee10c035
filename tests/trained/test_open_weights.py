"""Tests that a network is the same from whatever source it is opened."""

import dataclasses

import jax
import numpy as np
import pytest

from tests.trained.made import NAME, OPTIONS, write_checkpoint
from tests.videos import numbered_frames, write_video
from vidjax.convert import converted_folder
from vidjax.convert.loading import convert
from vidjax.trained.clip_explanation import explain_clip, open_clip
from vidjax.trained.open_weights import open_weights
from vidjax.trained.preprocessing import Preprocessing, read_clip
from vidjax.trained.weights_name import WeightsError, WeightsName


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Returns a file, and the folder into which it was converted."""
    root = tmp_path_factory.mktemp("weights")
    file = write_checkpoint(root / "made.safetensors")
    converted_folder.write(
        convert(NAME, file, **OPTIONS), NAME, root / "converted", source="made up"
    )
    return f"{NAME}:{file}", str(root / "converted")


def test_a_file_and_its_converted_folder_open_as_the_same_network(places):
    file, converted = open_weights(places[0], OPTIONS), open_weights(places[1])
    assert file.name == converted.name == NAME
    assert file.num_classes == converted.num_classes == 3
    assert dataclasses.asdict(file.preprocessing) == dataclasses.asdict(converted.preprocessing)
    jax.tree.map(np.testing.assert_array_equal, file.variables, converted.variables)
    assert (file.source, converted.source) == ("made.safetensors", "made up")


def test_unnamed_classes_are_numbered(places, tmp_path):
    trained = open_weights(places[1])
    small = Preprocessing(4, 1, 16, 20, trained.preprocessing.mean, trained.preprocessing.std)
    video = write_video(tmp_path / "my.mp4", numbered_frames(6, 32, 48))
    named = dataclasses.replace(trained, preprocessing=small).predict(video)
    assert sorted(name for name, _ in named) == ["class 0", "class 1", "class 2"]
    assert sum(chance for _, chance in named) == pytest.approx(1, abs=1e-5)


def test_predict_uses_the_clip_of_read_clip(places, tmp_path):
    """Only JPEG's loss on the stored frames differs."""
    trained = open_weights(places[1])
    seen = Preprocessing(
        4, 2, 16, 20, trained.preprocessing.mean, trained.preprocessing.std, quality=100
    )
    trained = dataclasses.replace(trained, preprocessing=seen)
    video = write_video(tmp_path / "my.mp4", numbered_frames(12, 32, 48))
    clip = read_clip(video, seen)
    assert (clip.shape, clip.dtype) == ((4, 16, 16, 3), np.float32)
    logits = np.asarray(trained.model.apply(trained.variables, clip[None], train=False))[0]
    chances = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    predicted = dict(trained.predict(video))
    for index, chance in enumerate(chances):
        assert predicted[f"class {index}"] == pytest.approx(float(chance), abs=0.02)


def test_explanations_of_multi_label_weights_are_per_class(places, tmp_path):
    """Probabilities need not add up to 1; they equal the prediction's."""
    trained = open_weights(places[1])
    seen = Preprocessing(
        4, 2, 16, 20, trained.preprocessing.mean, trained.preprocessing.std, quality=100
    )
    trained = dataclasses.replace(trained, preprocessing=seen, multi_label=True)
    video = write_video(tmp_path / "my.mp4", numbered_frames(12, 32, 48))
    (label, chance), *_ = trained.predict(video)
    explained = explain_clip(open_clip(trained, video))
    assert explained.label == label
    assert explained.probability == pytest.approx(chance, abs=1e-4)


def test_frames_can_be_stretched_to_a_size(tmp_path):
    video = write_video(tmp_path / "my.mp4", numbered_frames(6, 40, 40))
    seen = Preprocessing(2, 1, 16, 16, (0.5,) * 3, (0.5,) * 3, stretched=(16, 32))
    whole = seen.views(1, 3).resized(np.zeros((1, 40, 40, 3), np.uint8))
    assert whole.shape == (1, 16, 32, 3)
    assert read_clip(video, seen).shape == (2, 16, 16, 3)


@pytest.mark.parametrize(
    ("text", "network", "place"),
    [
        ("i3d:kinetics400", "i3d", "kinetics400"),
        ("x3d_m:some/X3D_M.pyth", "x3d_m", "some/X3D_M.pyth"),
        ("runs/demo", "", "runs/demo"),
        ("C:/weights/i3d", "", "C:/weights/i3d"),
    ],
)
def test_text_before_a_colon_is_a_network_if_one_has_that_name(text, network, place):
    wanted = WeightsName.parse(text)
    assert (wanted.network, wanted.place, wanted.text) == (network, place, text)


def test_an_existing_path_with_a_colon_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "i3d:mine").mkdir()
    assert WeightsName.parse("i3d:mine").network == ""


def test_a_file_without_a_named_network_is_refused(places):
    with pytest.raises(WeightsError, match=r"is a file: name its network too, as in x3d_m:"):
        open_weights(places[0].partition(":")[2])


def test_weights_of_another_network_are_refused(places):
    file = places[0].partition(":")[2]
    with pytest.raises(ValueError, match="not weights of mfnet|does not fit mfnet") as refused:
        open_weights(f"mfnet:{file}")
    assert str(refused.value).count(file) == 1
