"""Tests that each row of the RMS paper's tables has the network that the paper describes."""

import cv2
import numpy as np
import pytest

from configs import rms_images, rms_kinetics400, rms_mini_kinetics, rms_rows, rms_something
from tests.configs.traced import calls, config_of, of
from vidjax.data.decode import read_video
from vidjax.data.manifest import read_manifest
from vidjax.methods.random_mean_scaling import RandomScaling
from vidjax.methods.residual_drop import RandomDrop, ShakeDrop
from vidjax.run.durations import steps
from vidjax.training.schedules import learning_rate

NORMAL, BOTH, THIRD = ("normal", 1.0, 0.5), ("norm1", "norm2"), ("norm3",)
# Number of blocks of res4 and res5 in ResNets with 34 and 50 layers.
LATE = {3: 6, 4: 3}

# The tables' settings, written independently of the configuration. For each row: points in a block,
# target, distribution, deviation of the Gaussian (None is the mean filter).
ROWS_34 = {
    "baseline": ((), None, None, None),
    "rms": (BOTH, "mean", NORMAL, None),
    "rms_gf": (BOTH, "mean", NORMAL, 0.4),
    "random_drop": ((), None, None, None),
    "shake_drop": ((), None, None, None),
    "cutmix": ((), None, None, None),
    "before_conv1": (("conv1",), "mean", NORMAL, None),
    "before_norm1": (("norm1",), "mean", NORMAL, None),
    "before_act1": (("act1",), "mean", NORMAL, None),
    "before_conv2": (("conv2",), "mean", NORMAL, None),
    "before_norm2": (("norm2",), "mean", NORMAL, None),
    "before_act2": (("act2",), "mean", NORMAL, None),
    "before_norms": (BOTH, "mean", NORMAL, None),
    "normal_0.3": (BOTH, "mean", ("normal", 1.0, 0.3), None),
    "normal_0.5": (BOTH, "mean", NORMAL, None),
    "normal_0.7": (BOTH, "mean", ("normal", 1.0, 0.7), None),
    "uniform_0.5_1.5": (BOTH, "mean", ("uniform", 0.5, 1.5), None),
    "uniform_0.0_2.0": (BOTH, "mean", ("uniform", 0.0, 2.0), None),
    "uniform_-0.5_2.5": (BOTH, "mean", ("uniform", -0.5, 2.5), None),
    "mean_0.3": (BOTH, "mean", ("normal", 1.0, 0.3), None),
    "mean_0.5": (BOTH, "mean", NORMAL, None),
    "input_0.3": (BOTH, "input", ("normal", 1.0, 0.3), None),
    "input_0.5": (BOTH, "input", NORMAL, None),
    "residual_0.3": (BOTH, "residual", ("normal", 1.0, 0.3), None),
    "residual_0.5": (BOTH, "residual", NORMAL, None),
    "gaussian_0.4": (BOTH, "mean", NORMAL, 0.4),
    "gaussian_1.0": (BOTH, "mean", NORMAL, 1.0),
    "gaussian_2.0": (BOTH, "mean", NORMAL, 2.0),
}
ROWS_50 = {
    "baseline": ((), None, None, None),
    "rms": (THIRD, "mean", NORMAL, None),
    "rms_gf": (THIRD, "mean", NORMAL, 0.4),
    "random_drop": ((), None, None, None),
    "shake_drop": ((), None, None, None),
    "cutmix": ((), None, None, None),
    "before_norm1": (("norm1",), "mean", NORMAL, None),
    "before_norm2": (("norm2",), "mean", NORMAL, None),
    "before_norm3": (THIRD, "mean", NORMAL, None),
    "gaussian_0.4": (THIRD, "mean", NORMAL, 0.4),
}
MINI_KINETICS = {"slowonly_34": ROWS_34, "slowonly_50": ROWS_50}
EACH_ROW = [(model, row) for model, rows in MINI_KINETICS.items() for row in rows]
# The module that is called after each point of a block; `act2` is before the addition.
FOLLOWING = {"conv1": "conv1", "norm1": "norm1", "act1": "conv2", "conv2": "conv2"}
FOLLOWING |= {"norm2": "norm2", "norm3": "norm3", "act2": None}


def plain(module, argument):
    return "random_scaling" not in config_of(module, argument).model.options


def places(points, blocks=LATE, pathway=""):
    return {
        f"{pathway}layer{stage}/block{block}/before_{point}"
        for stage, count in blocks.items()
        for block in range(1, count + 1)
        for point in points
    }


@pytest.mark.parametrize("model", MINI_KINETICS)
def test_every_row_of_the_tables_has_a_name(model):
    assert set(rms_rows.MINI_KINETICS[model]) == set(MINI_KINETICS[model])


@pytest.mark.parametrize(("model", "row"), EACH_ROW)
def test_a_row_scales_the_part_and_place_of_its_table(model, row):
    points, target, distribution, std = MINI_KINETICS[model][row]
    argument = f"model={model},row={row}"
    found = of(RandomScaling, rms_mini_kinetics, argument)
    assert set(found) == places(points)
    for module in found.values():
        assert (module.target, module.distribution) == (target, distribution)
        assert module.low_pass == ("mean" if std is None else "gaussian")
        assert std is None or module.std == std
        assert module.window == (3, 3, 3)


@pytest.mark.parametrize(
    ("model", "row"), [pair for pair in EACH_ROW if pair[1].startswith("before_")]
)
def test_a_point_is_where_its_name_says(model, row):
    """Checks which module of the block is called next."""
    order = [path for path, _ in calls(rms_mini_kinetics, f"model={model},row={row}")]
    found = of(RandomScaling, rms_mini_kinetics, f"model={model},row={row}")
    for path in found:
        block, _, point = path.rpartition("/before_")
        following = order[order.index(path) + 1]
        expected = FOLLOWING[point]
        inside = following.startswith(block + "/") and "shortcut" not in following
        assert following == f"{block}/{expected}" if expected else not inside


@pytest.mark.parametrize(("model", "row"), EACH_ROW)
def test_the_methods_that_rms_is_compared_with(model, row):
    argument = f"model={model},row={row}"
    drops = of((RandomDrop, ShakeDrop), rms_mini_kinetics, argument)
    assert len(drops) == (16 if row.endswith("_drop") else 0)
    for number, module in enumerate(drops.values(), start=1):
        assert isinstance(module, RandomDrop if row == "random_drop" else ShakeDrop)
        assert module.depth == pytest.approx(number / 16)
        assert module.level == ("batch" if row == "random_drop" else "pixel")
        if row == "shake_drop":
            assert (module.alpha, module.beta) == ((0.0, 0.0), (0.0, 0.5))
    train = config_of(rms_mini_kinetics, argument).train
    assert (train.cutmix, train.cutmix_chance) == (1.0 if row == "cutmix" else 0.0, 1.0)


@pytest.mark.parametrize("module", [rms_mini_kinetics, rms_kinetics400, rms_something])
def test_the_setup_of_section_4_1(module):
    config = config_of(module, None)
    assert config.data.fps == 25
    assert config.clip.frames * config.clip.stride == 64
    assert (config.clip.size, config.eval.size) == (224, 256)
    assert (config.eval.clips, config.eval.crops) == (10, 3)
    assert config.augment.scale == (0.25, 1.0)
    assert config.augment.ratio == pytest.approx((3 / 4, 4 / 3), abs=1e-3)
    assert config.augment.flip == (0.0 if module is rms_something else 0.5)


@pytest.mark.parametrize(
    ("model", "frames", "pathways"),
    [("slowonly_50", 8, ("",)), ("ip_csn_50", 8, ("",)), ("slowfast_50", 32, ("slow_", "fast_"))],
)
def test_table_4(model, frames, pathways):
    assert config_of(rms_kinetics400, f"model={model}").clip.frames == frames
    expected = set().union(*(places(THIRD, pathway=name) for name in pathways))
    assert set(of(RandomScaling, rms_kinetics400, f"model={model},row=rms")) == expected
    assert plain(rms_kinetics400, f"model={model},row=baseline")
    gaussian = config_of(rms_kinetics400, f"model={model},row=rms_gf").model.options
    assert gaussian["random_scaling"] == {"low_pass": "gaussian", "std": 0.4}


def test_table_5_starts_from_weights_with_a_rate_that_falls_in_steps():
    config = config_of(rms_something, "row=rms")
    assert config.model.name == "slowfast_50"
    assert config.model.weights == "weights/slowfast_50"
    assert (config.optimizer.lr, config.schedule.name) == (0.01, "step")
    assert len(of(RandomScaling, rms_something, "row=rms")) == 18
    assert plain(rms_something, "row=baseline")
    assert not config_of(rms_something, "smoke=true").model.weights


@pytest.mark.parametrize(
    ("data", "size", "expected"),
    [
        ("cifar100", 32, places(BOTH, {2: 18, 3: 18})),
        ("imagenet", 224, places(THIRD)),
    ],
)
def test_table_6(data, size, expected):
    config = config_of(rms_images, f"data={data}")
    assert (config.clip.frames, config.clip.stride, config.clip.size) == (1, 1, size)
    found = of(RandomScaling, rms_images, f"data={data},row=rms")
    assert set(found) == expected
    assert {module.distribution for module in found.values()} == {NORMAL}
    assert plain(rms_images, f"data={data},row=baseline")


def test_images_are_cropped_and_tested_as_in_cutmix_code():
    cifar, imagenet = (config_of(rms_images, f"data={data}") for data in ("cifar100", "imagenet"))
    assert (cifar.augment.crop, cifar.clip.size) == ("padded", 32)
    assert (imagenet.augment.crop, imagenet.augment.scale) == ("area", (0.08, 1.0))
    assert [(c.eval.size, c.eval.short_side) for c in (cifar, imagenet)] == [(32, 0), (224, 256)]


@pytest.mark.parametrize(
    ("module", "argument"),
    [
        (rms_mini_kinetics, "model=slowonly_34"),
        (rms_mini_kinetics, "model=slowonly_50"),
        (rms_kinetics400, "model=slowonly_50"),
        (rms_kinetics400, "model=ip_csn_50"),
        (rms_kinetics400, "model=slowfast_50"),
    ],
)
def test_training_from_scratch_is_pyslowfasts(module, argument):
    """SLOW_8x8_R50.yaml, with its defaults of the solver."""
    config = config_of(module, argument)
    optimizer, schedule = config.optimizer, config.schedule
    assert (optimizer.name, optimizer.lr, optimizer.momentum) == ("sgd", 0.1, 0.9)
    assert (optimizer.nesterov, optimizer.weight_decay) == (True, 1e-4)
    assert (config.train.duration, config.train.batch_size) == ("196 epochs", 64)
    warmup = steps(schedule.warmup, steps_per_epoch=100, total=19_600)
    assert (schedule.name, round(warmup / 100)) == ("cosine", 34)
    # PySlowFast's cosine at the end of the warm-up, and half-way.
    rate = learning_rate(config, total=19_600, steps_per_epoch=100)
    assert float(rate(3400)) == pytest.approx(0.1 * (np.cos(np.pi * 34 / 196) + 1) / 2, rel=1e-3)
    assert float(rate(9800)) == pytest.approx(0.05, rel=1e-3)
    assert dict(config.model.options)["dropout"] == 0.5
    assert dict(config.model.options)["zero_init"] is True


def test_images_are_videos_of_one_frame(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    smooth = cv2.GaussianBlur(picture, (0, 0), 6)
    rows = ["path,label,split"]
    for name, pixels in (("a.png", picture), ("b.jpg", smooth)):
        cv2.imwrite(str(tmp_path / name), pixels[..., ::-1])
        rows.append(f"{name},cat,train")
    (tmp_path / "cifar100.csv").write_text("\n".join(rows))
    manifest = read_manifest(tmp_path / "cifar100.csv")
    png, jpg = (read_video(manifest.file(entry)) for entry in manifest.entries)
    np.testing.assert_array_equal(png.frames, picture[None])
    assert np.abs(jpg.frames[0].astype(int) - smooth).max() < 12


@pytest.mark.parametrize(
    ("module", "argument", "message"),
    [
        (
            rms_mini_kinetics,
            "row=rmsgf",
            "row = 'rmsgf': must be one of baseline, rms, rms_gf, random_dr",
        ),
        (
            rms_mini_kinetics,
            "model=r3d_50",
            "model = 'r3d_50': must be one of slowonly_34, slowonly_50",
        ),
        (
            rms_mini_kinetics,
            "model=slowonly_50,row=before_conv1",
            "row = 'before_conv1': must be one of",
        ),
        (rms_kinetics400, "row=cutmix", "row = 'cutmix': must be one of baseline, rms, rms_gf"),
        (
            rms_kinetics400,
            "model=r3d_50",
            "model = 'r3d_50': must be one of slowonly_50, ip_csn_50, slow",
        ),
        (rms_something, "row=", "row = '': must be one of baseline, rms, rms_gf"),
        (rms_images, "data=mnist", "data = 'mnist': must be one of cifar100, imagenet"),
    ],
)
def test_the_error_for_an_unknown_row_lists_the_known_ones(module, argument, message):
    with pytest.raises(ValueError, match=message):
        module.get_config(argument)


def test_changing_a_returned_row_does_not_change_the_table():
    before = repr(rms_rows.MINI_KINETICS)
    config = rms_mini_kinetics.get_config("row=rms_gf,smoke=true")
    config.model.options.random_scaling.std = 9.0
    assert repr(rms_rows.MINI_KINETICS) == before
