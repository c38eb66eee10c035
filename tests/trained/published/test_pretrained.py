"""Tests published weights from name to logits, and files other than the published one."""

import hashlib

import jax
import numpy as np
import pytest

import vidjax
from tests.commands import refusal, run_command
from tests.convert.pickles import mapping, tensor, write_zip
from tests.convert.test_loading import CLASSES, WIDTH, small_state
from tests.trained.published.rows import named
from tests.videos import numbered_frames, write_video
from vidjax.convert.loading import convert
from vidjax.trained.open_weights import open_weights
from vidjax.trained.published.checkpoint import Checkpoint
from vidjax.trained.weights_name import WeightsError

# Fields that turn a row into one of a fast network.
TINY = {
    "options": {**WIDTH, "depths": [1, 1, 1, 1]},
    "num_classes": CLASSES,
    "size": 32,
    "short_side": (40, 48),
    "frames": 4,
}


def tiny(name="r3d_18:kinetics700-hara", **changes: object) -> Checkpoint:
    return named(name, **(TINY | changes))


def save(file, state):
    """Writes a state dict as `torch.save` does."""
    entries, blocks = {}, {}
    for number, (key, value) in enumerate(state.items()):
        if key.endswith("num_batches_tracked"):
            continue
        value = np.ascontiguousarray(value, "<f4")
        strides = [step // 4 for step in value.strides]
        entries[key] = tensor("zip", value.shape, tuple(strides), key=str(number), numel=value.size)
        blocks[str(number)] = value
    file.parent.mkdir(exist_ok=True)
    return write_zip(file, mapping(**entries), blocks)


@pytest.fixture
def row(register):
    row = tiny()
    register(row)
    return row


@pytest.fixture
def weights(row, cache):
    return save(cache / row.file, small_state())


def load(**more):
    return vidjax.load_pretrained("r3d_18", "kinetics700-hara", **more)


def test_a_name_is_enough_to_get_logits_of_a_video(weights, row, tmp_path):
    pretrained = load()
    assert isinstance(pretrained, vidjax.Pretrained)
    video = write_video(tmp_path / "a.mp4", numbered_frames(9))
    clip = vidjax.read_clip(video, pretrained.preprocessing)
    assert (clip.shape, clip.dtype) == ((4, 32, 32, 3), np.float32)
    logits = pretrained.model.apply(pretrained.variables, clip[None], train=False)
    converted = convert("r3d_18", weights, **WIDTH)
    model = vidjax.create_model("r3d_18", num_classes=CLASSES, **WIDTH)
    np.testing.assert_array_equal(logits, model.apply(converted.variables, clip[None], train=False))
    assert np.ptp(logits) > 0
    assert (pretrained.tag, pretrained.dataset) == (row.tag, "kinetics700")
    assert pretrained.source == "r3d_18:kinetics700-hara of kenshohara/3D-ResNets-PyTorch"
    assert pretrained.labels == tuple(f"class {k}" for k in range(CLASSES))
    assert repr(pretrained) == (
        f"<Pretrained {pretrained.source}: r3d_18, {CLASSES} classes, clips of 4x32x32>"
    )


def test_input_normalization_is_the_files_own(weights, row):
    """They are not those of the network's card or of the layout."""
    assert load().preprocessing.mean == row.mean
    old = named("r3d_18:kinetics400-hara2018")
    assert old.mean != row.mean
    assert vidjax.model_card("r3d_18").mean != old.mean


def test_another_number_of_classes_gives_a_new_classifier(weights):
    published, tuned = load(), load(num_classes=9)
    assert (tuned.num_classes, tuned.classes) == (9, None)
    head = tuned.variables["params"]["head"]["kernel"]
    assert head.shape == (32, 9)
    for part in ("stem_layer", "layer4"):
        one, other = tuned.variables["params"][part], published.variables["params"][part]
        assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), one, other))


def test_a_local_file_replaces_the_download(row, cache, tmp_path):
    file = save(tmp_path / "mine.pth", small_state())
    found = load(path=file).variables["params"]["head"]["bias"]
    np.testing.assert_array_equal(found, small_state()["fc.bias"])
    assert not cache.exists()
    with pytest.raises(WeightsError, match=r"nowhere.pth is not a file"):
        load(path=tmp_path / "nowhere.pth")


def test_a_folder_with_the_name_of_a_tag_does_not_hide_it(weights, row, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / row.tag).mkdir()
    assert open_weights(row.name).source == f"{row.name} of {row.project}"


def test_options_of_the_network_are_applied_and_checked(weights):
    assert load(dropout=0.25).model.dropout == 0.25
    with pytest.raises(ValueError, match="r3d_18 has no option 'dropuot': did you mean 'dropout'"):
        load(dropuot=0.25)


def without(part):
    return {key: value for key, value in small_state().items() if not key.startswith(part)}


WRONG = {
    "classes": (
        small_state() | {"fc.weight": np.ones((7, 32)), "fc.bias": np.ones(7)},
        r"the classifier has 7 classes, but that of r3d_18:kinetics700-hara has 6",
    ),
    "layers": (without("layer3"), "does not fit r3d_18"),
    "network": ({"blocks.0.conv.weight": np.ones(3)}, "these are not weights of r3d_18"),
    "numbers": (
        small_state() | {"bn1.bias": np.array([1, np.nan, 1, 1])},
        "does not fit r3d_18.*nonfinite",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_unrelated_file_is_refused_by_name(row, cache, case):
    state, why = WRONG[case]
    file = save(cache / row.file, state)
    with pytest.raises(WeightsError, match=why) as refused:
        _ = load().variables
    text = str(refused.value)
    assert text.startswith(f"{file}: ")
    assert text.count(str(file)) == 1
    assert text.endswith("remove the file if it is not r3d_18:kinetics700-hara")
    assert "\n" not in text


def test_a_file_in_another_projects_layout_is_refused(register, cache):
    """Its shapes would fit, but its colours and classes may differ."""
    row = tiny(layout="torchvision R3D, VMZ ir-CSN")
    register(row)
    save(cache / row.file, small_state())
    with pytest.raises(WeightsError, match="names are those of 3D-ResNets-PyTorch"):
        _ = load().variables


def test_a_file_in_another_format_is_refused(shared, register):
    """The layout in the file differs from that of the row."""
    file = shared / "weights/resnet20-12fca82f.th"
    row = named(
        "cifar_resnet_110:cifar10-akamaster",
        options={"depths": [3, 3, 3], "shortcut": "pad_around"},
        sha256_prefix="12fca82f",
    )
    register(row)
    trained = vidjax.load_pretrained("cifar_resnet_110", "cifar10", path=file)
    assert trained.variables["params"]["head"]["kernel"].shape == (64, 10)
    register(tiny(row.name, options={"depths": [3, 3, 3]}, num_classes=10, sha256_prefix=None))
    with pytest.raises(
        WeightsError, match="its network has the options .*pad_around.* has {'depths'"
    ):
        _ = vidjax.load_pretrained("cifar_resnet_110", "cifar10", path=file).variables


@pytest.mark.parametrize("kept", [0, 100, 10_000, -1])
def test_a_truncated_file_is_refused_by_name(weights, kept):
    weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(WeightsError, match="remove the file if it is not") as refused:
        _ = load().variables
    assert str(refused.value).startswith(str(weights))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("digits", [8, 64])
def test_a_published_checksum_is_compared_before_reading(register, cache, digits):
    data = save(cache / "a", small_state()).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    field = "sha256" if digits == 64 else "sha256_prefix"
    row = tiny(**{field: found[:digits]})
    register(row)
    (cache / row.file).write_bytes(data)
    assert load().variables
    (cache / row.file).write_bytes(data[:-1] + b"x")
    with pytest.raises(
        WeightsError, match=r"SHA-256 .*truncated or replaced; remove it"
    ) as refused:
        load()
    assert f"r3d_18:{cache / row.file}" in str(refused.value)


def test_a_published_size_is_compared(register, cache):
    row = tiny(bytes=10)
    register(row)
    file = save(cache / row.file, small_state())
    with pytest.raises(
        WeightsError, match=f"has {file.stat().st_size:,} bytes, .* 10: it was truncated"
    ):
        load()


def test_the_checksum_selects_among_several_weights(register, cache, tmp_path):
    file = save(tmp_path / "mine.pth", small_state())
    total = hashlib.sha256(file.read_bytes()).hexdigest()
    register(
        tiny(tag="kinetics700-one", sha256="0" * 64, file="one"),
        tiny(tag="kinetics700-two", sha256=total, file="two"),
    )
    assert vidjax.load_pretrained("r3d_18", "kinetics700", path=file).tag == "kinetics700-two"
    with pytest.raises(WeightsError, match=r"SHA-256 .*name it r3d_18:.*to use it as"):
        vidjax.load_pretrained("r3d_18", "kinetics700-one", path=file)


def test_doubtful_weights_are_opened_with_a_warning(register, cache, capsys):
    row = tiny(usable=None, caution="nobody has tried them")
    register(row)
    save(cache / row.file, small_state())
    assert load().caution == "nobody has tried them"
    said = capsys.readouterr().err
    assert said == "warning: r3d_18:kinetics700-hara: nobody has tried them\n"


def test_multi_label_weights_have_independent_probabilities(register, cache):
    row = tiny(dataset="charades")
    register(row)
    save(cache / row.file, small_state())
    pretrained = load()
    assert pretrained.multi_label
    crops = np.random.default_rng(0).integers(0, 256, (1, 1, 4, 32, 32, 3), np.uint8)
    scores = pretrained.probabilities(pretrained.variables, crops)
    clip = pretrained.preprocessing.normalized(crops[0])
    logits = pretrained.model.apply(pretrained.variables, clip, train=False)
    np.testing.assert_allclose(scores[0], 1 / (1 + np.exp(-np.float64(logits))), rtol=1e-5)


PREDICT = "experiments.predict"


def test_commands_accept_tags_and_refuse_in_one_line(tmp_path, cache):
    video = write_video(tmp_path / "a.mp4", numbered_frames(9))
    for text, why in (
        (
            "r3d_50:kinetics700-hara",
            "must be downloaded by hand: get r3d50_K_200ep.pth from https:",
        ),
        ("r3d_50:kinetcs700-hara", "did you mean 'kinetics700-hara'"),
        ("r3d_50:absent.pth", "does not exist"),
    ):
        done = run_command(
            PREDICT, f"--weights={text}", f"--video={video}", VIDJAX_CACHE=str(cache)
        )
        assert why in refusal(done)
    assert not cache.exists()


def test_commands_accept_a_file_placed_in_the_cache(tmp_path, cache):
    row = named("cifar_resnet_110:cifar10-akamaster")
    assert row.sha256_prefix
    file = cache / row.file
    file.parent.mkdir()
    file.write_bytes(b"cut")
    video = write_video(tmp_path / "a.mp4", numbered_frames(9))
    done = run_command(
        PREDICT, f"--weights={row.name}", f"--video={video}", VIDJAX_CACHE=str(cache)
    )
    line = refusal(done)
    assert str(file) in line
    assert "it was truncated or replaced; remove it to download it again" in line
