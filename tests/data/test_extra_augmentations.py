"""Tests augmentations by name: their effect on clips, and the settings that they refuse."""

import dataclasses
import inspect
import json
from types import MappingProxyType

import numpy as np
import pytest

from vidjax import plugins
from vidjax.data import augmentations, extra_augmentations
from vidjax.data.augmentations.rand_augment import RandAugment
from vidjax.data.augmentations.random_erasing import RandomErasing
from vidjax.data.augmentations.trivial_augment import TrivialAugment
from vidjax.data.multigrid import GridShape, Multigrid, grid_schedule
from vidjax.data.multigrid_batches import grid_batches
from vidjax.data.operation_space import Operation
from vidjax.data.pipeline import Augmentation, ClipShape, prefetch, train_batches
from vidjax.data.synthetic import SyntheticSplit
from vidjax.docstrings import meanings

SOURCE = SyntheticSplit(num_classes=3, videos=12, frames=8, size=24)
SHAPE = ClipShape(frames=3, stride=2, size=20)
ALL = {"trivial_augment": {}, "random_erasing": {"chance": 0.5}, "rand_augment": {"layers": 1}}
CLIP = np.random.default_rng(5).integers(0, 256, (4, 18, 26, 3), np.uint8)


def batches(also, **settings):
    augmentation = Augmentation(also=also, **settings)
    return train_batches(SOURCE, SHAPE, augmentation, batch_size=4, seed=3)


def equal(one, two):
    return all(np.array_equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("name", plugins.names(augmentations))
def test_each_file_has_a_range_a_default_and_a_meaning_for_each_setting(name):
    module = plugins.load(augmentations, name)
    fields = {field.name: field.default for field in dataclasses.fields(module.AUGMENTATION)}
    assert set(module.SETTINGS) == set(fields) == set(meanings(module.AUGMENTATION))
    for setting, kind in module.SETTINGS.items():
        assert kind.accepts(fields[setting]), setting
    assert inspect.getdoc(module)


@pytest.mark.parametrize("name", plugins.names(augmentations))
def test_one_draw_holds_for_all_frames(name):
    still = np.repeat(CLIP[:1], 5, axis=0)
    before, made = still.copy(), extra_augmentations.make({name: {}})
    for seed in range(40):
        done = extra_augmentations.apply(made, np.random.default_rng(seed), still)
        assert (done == done[:1]).all(), seed
        again = extra_augmentations.apply(made, np.random.default_rng(seed), still)
        np.testing.assert_array_equal(done, again)
    np.testing.assert_array_equal(still, before)


@pytest.mark.parametrize("name", plugins.names(augmentations))
@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (2, 2, 3, 3), (1, 40, 7, 3)])
def test_clips_of_any_size_keep_their_size(name, shape):
    clip = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    made = extra_augmentations.make({name: {}})
    for seed in range(30):
        done = extra_augmentations.apply(made, np.random.default_rng(seed), clip)
        assert (done.shape, done.dtype) == (shape, np.uint8)


def boxes(erasing, size, count):
    return np.array([erasing.box(np.random.default_rng(s), *size) for s in range(count)])


def test_boxes_are_distributed_as_the_papers_algorithm_draws_them():
    height, width, count = 60, 90, 3000
    top, left, tall, wide = boxes(RandomErasing(), (height, width), count).T
    assert (top + tall <= height).all()
    assert (left + wide <= width).all()
    rng = np.random.default_rng(9)
    area = height * width * rng.uniform(0.02, 0.4, 4 * count)
    ratio = rng.uniform(0.3, 1 / 0.3, 4 * count)
    y, x = rng.uniform(0, height, 4 * count), rng.uniform(0, width, 4 * count)
    tall_, wide_ = np.sqrt(area * ratio), np.sqrt(area / ratio)
    fits = (y + tall_ <= height) & (x + wide_ <= width)
    theirs = [each[fits] for each in (y, x, tall_, wide_)]
    assert fits.sum() > 1500
    for ours, expected in zip((top, left, tall, wide), theirs, strict=True):
        # Five standard errors of both means, and half a pixel of rounding.
        error = 5 * np.sqrt(ours.var() / len(ours) + expected.var() / len(expected))
        assert abs(ours.mean() - expected.mean()) < error + 0.5
        quartiles = (0.25, 0.5, 0.75)
        near = np.quantile(ours, quartiles) - np.quantile(expected, quartiles)
        assert np.abs(near).max() < 0.06 * max(height, width)


@pytest.mark.parametrize("fill", ["noise", "zero", "mean"])
def test_a_box_is_covered_and_other_pixels_are_unchanged(fill):
    erasing, colours = RandomErasing(chance=1.0, fill=fill), np.rint(CLIP.mean(axis=(0, 1, 2)))
    for seed in range(20):
        done = erasing(np.random.default_rng(seed), CLIP)
        rng = np.random.default_rng(seed)
        rng.random()
        top, left, tall, wide = erasing.box(rng, *CLIP.shape[1:3])
        assert tall * wide > 0
        box = np.zeros(CLIP.shape, bool)
        box[:, top : top + tall, left : left + wide] = True
        np.testing.assert_array_equal(done[~box], CLIP[~box])
        covered = done[:, top : top + tall, left : left + wide]
        assert (covered == covered[:1]).all()
        if fill == "noise":
            assert tall * wide < 20 or len(np.unique(covered)) > 20
        else:
            assert (covered == (colours if fill == "mean" else 0)).all()


def test_noise_is_uniform():
    erasing = RandomErasing(chance=1.0, area=(0.4, 0.4), ratio=(1.0, 1.0))
    blank = np.zeros((1, 200, 200, 3), np.uint8)
    done = erasing(np.random.default_rng(0), blank)
    values = done[done.any(axis=-1)].ravel().astype(float)
    assert len(values) == pytest.approx(0.4 * 200 * 200 * 3, rel=0.02)
    # Five standard errors of a mean of uniform numbers.
    assert abs(values.mean() - 127.5) < 5 * 73.9 / np.sqrt(len(values))
    assert abs(values.std() - 73.9) < 1


@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("kind", [RandomErasing, TrivialAugment, RandAugment])
def test_clips_are_changed_as_often_as_the_chance_says(kind, chance):
    augment, seeds = kind(chance=chance), 400
    changed = sum(
        not np.array_equal(augment(np.random.default_rng(seed), CLIP[:1, :6, :6]), CLIP[:1, :6, :6])
        for seed in range(seeds)
    )
    # One of the 14 operations changes nothing, and some strengths are zero.
    idle = 0 if kind is RandomErasing else 0.2
    bound = 5 * np.sqrt(chance * (1 - chance) / seeds)
    assert chance * (1 - idle) - bound <= changed / seeds <= chance + bound


class Noted:
    """Replaces an operation and records its strength."""

    def __init__(self, log, index):
        self._log, self._index = log, index

    def __call__(self, rng, clip, strength):
        self._log.append((self._index, float(strength)))
        return clip


def test_trivial_augment_draws_operations_and_strengths_uniformly(monkeypatch):
    log = []
    module = "vidjax.data.augmentations.trivial_augment._WIDE"
    monkeypatch.setattr(module, tuple(Noted(log, index) for index in range(14)))
    count = 6000
    for seed in range(count):
        TrivialAugment()(np.random.default_rng(seed), CLIP)
    assert len(log) == count
    operations, strengths = map(np.array, zip(*log, strict=True))
    assert set(np.rint(strengths * 30)) == set(range(31))
    np.testing.assert_allclose(strengths * 30, np.rint(strengths * 30), atol=1e-9)
    for drawn, kinds in ((operations, 14), (np.rint(strengths * 30).astype(int), 31)):
        shares = np.bincount(drawn, minlength=kinds) / count
        assert np.abs(shares - 1 / kinds).max() < 5 * np.sqrt(1 / kinds / count)


def test_rand_augment_does_as_many_operations_as_layers_at_its_magnitude(monkeypatch):
    log = []
    module = "vidjax.data.augmentations.rand_augment._SPACE"
    monkeypatch.setattr(module, tuple(Noted(log, index) for index in range(14)))
    RandAugment(layers=3, magnitude=9)(np.random.default_rng(0), CLIP)
    RandAugment(layers=2, magnitude=9, levels=30)(np.random.default_rng(0), CLIP)
    assert [strength for _, strength in log] == [0.9] * 3 + [0.3] * 2
    for seed in range(600):
        RandAugment(layers=2)(np.random.default_rng(seed), CLIP)
    pairs = {(log[k][0], log[k + 1][0]) for k in range(5, len(log), 2)}
    assert len({one for one, _ in pairs}) == 14
    # Each layer draws independently, so an operation may occur twice in a row.
    assert any(one == two for one, two in pairs)


def test_half_of_the_amounts_of_signed_operations_are_negative():
    amounts = []

    def change(clip, amount):
        amounts.append(amount)
        return clip

    rng = np.random.default_rng(0)
    for signed in (True, False):
        for _ in range(500):
            Operation(change, 40.0, signed=signed)(rng, CLIP, 0.5)
    assert {abs(amount) for amount in amounts} == {20.0}
    assert abs(np.mean(np.array(amounts[:500]) < 0) - 0.5) < 5 * 0.5 / np.sqrt(500)
    assert min(amounts[500:]) > 0


def test_without_named_augmentations_batches_are_unchanged():
    """Named augmentations draw last, so the draws of crop, mirroring and colours are unchanged."""
    for color in (0.0, 0.3):
        plain = train_batches(SOURCE, SHAPE, Augmentation(color=color), batch_size=4, seed=3)
        named = batches({"random_erasing": {"chance": 0.0}}, color=color)
        for number in range(3):
            assert equal(batches({}, color=color)[number], plain[number])
            assert equal(named[number], plain[number])


def test_a_batch_depends_only_on_seed_and_number():
    ours = batches(ALL)
    later = [ours[number] for number in (5, 1)]
    again = batches(ALL)
    assert equal(later[1], again[1])
    assert equal(later[0], again[5])
    assert not np.array_equal(batches({})[1]["clip"], again[1]["clip"])
    reader = prefetch(batches(ALL), threads=3)
    reader.set_state(prefetch(batches(ALL)[4:], threads=1).get_state())
    first = prefetch(batches(ALL), threads=2)
    for _ in range(3):
        next(first)
    state, expected = first.get_state(), next(first)
    reader.set_state(state)
    assert equal(next(reader), expected)


def test_named_augmentations_come_last_and_in_the_given_order():
    frames = np.random.default_rng(0).integers(0, 256, (3, 30, 40, 3), np.uint8)
    for names in (("random_erasing", "trivial_augment"), ("trivial_augment", "random_erasing")):
        rng = np.random.default_rng(4)
        plain = Augmentation(color=0.2)(rng, frames, 20)["clip"]
        for name in names:
            (augment,) = extra_augmentations.make({name: {"chance": 1.0}}).values()
            plain = augment(rng, np.ascontiguousarray(plain))
        also = {name: {"chance": 1.0} for name in names}
        done = Augmentation(color=0.2, also=also)(np.random.default_rng(4), frames, 20)["clip"]
        np.testing.assert_array_equal(done, plain)


def test_clips_of_a_multigrid_are_augmented_at_every_size():
    table = grid_schedule(Multigrid(cycle="both"), GridShape(2, 4, 20), steps=8, steps_per_epoch=8)
    shape, settings = ClipShape(frames=4, stride=1, size=20), {"time": "picks", "seed": 3}
    plain = grid_batches(SOURCE, shape, Augmentation(), table, **settings)
    also = {"trivial_augment": {}, "random_erasing": {"chance": 1.0}}
    augmented = grid_batches(SOURCE, shape, Augmentation(also=also), table, **settings)
    sizes = set()
    for step in range(8):
        one, two = plain[step], augmented[step]
        assert one["clip"].shape == two["clip"].shape
        assert not np.array_equal(one["clip"], two["clip"])
        assert equal(two, augmented[step])
        sizes.add(one["clip"].shape[2])
    assert len(sizes) > 1


def test_an_augmentation_of_another_package_is_one_module(monkeypatch):
    class Invert:
        @dataclasses.dataclass(frozen=True)
        class AUGMENTATION:
            chance: float = 1.0

            def __call__(self, rng, clip):
                return 255 - clip if rng.random() < self.chance else clip

        SETTINGS = plugins.load(augmentations, "trivial_augment").SETTINGS

    monkeypatch.setattr(plugins, "_registered", {})
    plugins.register("vidjax.data.augmentations", "invert", Invert)
    plain, inverted = batches({})[0], batches({"invert": {}})[0]
    np.testing.assert_array_equal(inverted["clip"], 255 - plain["clip"])


class Wrong:
    """Augmentations that break the interface; each is called without settings."""

    SETTINGS = MappingProxyType({})
    AUGMENTATION = staticmethod(lambda: lambda rng, clip: clip[:1])


class Floats(Wrong):
    AUGMENTATION = staticmethod(lambda: lambda rng, clip: clip / 255)


class Lacking:
    SETTINGS = MappingProxyType({})


def test_an_augmentation_that_breaks_the_interface_stops_the_run(monkeypatch):
    monkeypatch.setattr(plugins, "_registered", {})
    for name, module in (("cuts", Wrong), ("floats", Floats), ("lacking", Lacking)):
        plugins.register("vidjax.data.augmentations", name, module)
    with pytest.raises(ValueError, match=r"augment.also.cuts returned uint8 \(1, 20, 20, 3\) for"):
        batches({"cuts": {}})[0]
    with pytest.raises(ValueError, match=r"augment.also.floats returned float64"):
        batches({"floats": {}})[0]
    with pytest.raises(
        ValueError, match=r"augment.also.lacking: its module does not define AUGMENTATION"
    ):
        batches({"lacking": {}})


@pytest.mark.parametrize(
    ("also", "message"),
    [
        (
            {"random_erasin": {}},
            "augment.also: augmentation 'random_erasin' is unknown: did you mean 'random_erasing'",
        ),
        (
            {"random_erasing": {"chanse": 1}},
            "augment.also.random_erasing.chanse is not a setting; did you mean 'chance'? Known: ",
        ),
        (
            {"random_erasing": {"chance": 2}},
            "augment.also.random_erasing.chance = 2: must be a number in [0, 1]",
        ),
        (
            {"random_erasing": {"area": (0.5, 0.2)}},
            "augment.also.random_erasing.area = (0.5, 0.2): must be two values in rising order",
        ),
        (
            {"random_erasing": {"fill": "grey"}},
            "augment.also.random_erasing.fill = 'grey': must be one of noise, zero, mean",
        ),
        ({"random_erasing": 0.5}, "augment.also.random_erasing = 0.5: must be a dict of settings"),
        ({"rand_augment": {"magnitude": 12}}, "augment.also.rand_augment: magnitude = 12 is above"),
        ({"rand_augment": {"levels": 20}}, "augment.also.rand_augment.levels = 20: must be one of"),
        ("random_erasing", "augment.also = 'random_erasing': must be augmentations by name"),
    ],
)
def test_unknown_or_invalid_settings_are_refused_in_one_line_with_their_path(also, message):
    with pytest.raises(ValueError, match="augment.also") as caught:
        Augmentation(also=also)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_they_are_refused_if_mirroring_runs_on_the_devices():
    with pytest.raises(ValueError, match=r"augment.also = .* with augment.device = True: .*False"):
        Augmentation(also={"trivial_augment": {}}, device=True)


def test_settings_read_from_json_are_those_that_were_written():
    also = {"random_erasing": {"area": (0.1, 0.2), "chance": 1}}
    read = json.loads(json.dumps(also))
    assert extra_augmentations.make(also) == extra_augmentations.make(read)
