"""Tests inflated image networks on still clips, against NumPy."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

import vidjax
from tests import references
from tests.commands import refusal, run_command
from tests.convert import pictures
from vidjax.convert.inflation import inflate, inflate_torch
from vidjax.convert.loading import load_torch

WIDTH = {"width": 4, "depths": (1, 1, 1, 1)}
CIFAR = {
    "width": 4,
    "depths": (2, 1, 1, 0),
    "stem_kernel": (3, 3, 3),
    "stem_strides": (1, 1, 1),
    "stem_pool": False,
}
BASIC = pictures.state(depths=(2, 1, 1, 1))
DEEP = pictures.state("bottleneck")
WIDE = pictures.state("bottleneck", inner=2)
GROUPS = pictures.state("bottleneck", inner=2, groups=2)
SMALL = pictures.state(depths=(2, 1, 1, 0), stem=3)
NETWORKS = {
    "r3d_18": (BASIC, {"width": 4, "depths": (2, 1, 1, 1)}),
    "r3d_34_e1": (BASIC, {"width": 4, "depths": (2, 1, 1, 1)}),
    "r3d_50": (DEEP, WIDTH),
    "wide_r3d_50": (WIDE, WIDTH),
    "resnext3d_101": (GROUPS, {**WIDTH, "groups": 2}),
    "slowonly_34": (BASIC, {"width": 4, "depths": (2, 1, 1, 1), "temporal_convs": 2}),
    "slowonly_50": (DEEP, WIDTH),
    "tam_ibm_50": (DEEP, WIDTH),
    # A share of zero channels, so nothing is shifted.
    "tsm_50": (DEEP, {**WIDTH, "fraction": 65_536}),
    "r3d_18 for CIFAR": (SMALL, CIFAR),
}
SIMILAR = ("r3d_34_e1", "wide_r3d_50", "slowonly_34")
CASES = [
    pytest.param(case, marks=pytest.mark.slow) if case in SIMILAR else case for case in NETWORKS
]
PICTURE = np.random.default_rng(7).normal(size=(32, 32, 3)).astype(np.float32)


def still(frames):
    return jnp.broadcast_to(PICTURE, (1, frames, *PICTURE.shape))


def spoken(name, converted, clip):
    """Computes the logits `[K]` and the stages' features `[T, H, W, C]` of the first clip."""
    model = vidjax.create_model(name, num_classes=converted.num_classes, **converted.options)

    @jax.jit
    def run(variables, x):
        return model.apply(variables, x, train=False, mutable=["intermediates"])

    with jax.default_matmul_precision("highest"):
        logits, state = run(converted.variables, clip)
    sown = state["intermediates"]
    return np.asarray(logits[0]), [np.asarray(sown[f"stage{n}"][0][0]) for n in range(1, 5)]


def agree(ours, expected):
    scale = np.std(expected)
    np.testing.assert_allclose(ours / scale, expected / scale, rtol=0, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_inflation_by_the_centre_gives_the_image_networks_logits_on_a_still_clip(case):
    weights, options = NETWORKS[case]
    name = case.split()[0]
    converted = inflate_torch(name, weights, how="center", **options)
    assert (converted.report.missing, converted.report.added) == ((), ())
    logits, _ = spoken(name, converted, still(5))
    expected, _ = pictures.logits(weights, PICTURE)
    agree(logits, expected)


def test_inflation_by_the_mean_gives_the_image_networks_features_in_inner_frames():
    converted = inflate_torch("slowonly_50", DEEP, how="mean", **WIDTH)
    logits, stages = spoken("slowonly_50", converted, still(6))
    expected, wanted = pictures.logits(DEEP, PICTURE)
    # Stages 1 and 2 have no convolution over time; each of the others has one.
    for stage, reach in enumerate((0, 0, 1, 2)):
        for frame in range(reach, 6 - reach):
            agree(stages[stage][frame], wanted[stage])
        for frame in (*range(reach), *range(6 - reach, 6)):
            assert np.abs(stages[stage][frame] - wanted[stage]).max() > 1e-2 * wanted[stage].std()
    assert np.abs(logits - expected).max() > 1e-3 * expected.std()


def test_temporal_strides_do_not_change_inner_frames_inflated_by_the_mean():
    converted = inflate_torch("r3d_50", DEEP, how="mean", **WIDTH)
    _, stages = spoken("r3d_50", converted, still(32))
    _, wanted = pictures.logits(DEEP, PICTURE)
    # The stages have 16, 8 and 4 frames; of the last ones, only frame 2 does not see an end of the
    # clip.
    for stage, middle in enumerate((8, 4, 2)):
        agree(stages[stage][middle], wanted[stage])


def test_each_shift_carries_the_ends_of_a_clip_inwards_by_one_frame():
    converted = inflate_torch("tsm_50", DEEP, **WIDTH, fraction=4)
    _, stages = spoken("tsm_50", converted, still(9))
    _, wanted = pictures.logits(DEEP, PICTURE)
    for stage in range(4):
        agree(stages[stage][4], wanted[stage])
        assert np.abs(stages[stage][0] - wanted[stage]).max() > 1e-2 * wanted[stage].std()


@pytest.mark.parametrize("how", ["mean", "center"])
def test_inflated_kernels_sum_over_time_to_image_kernels(how):
    params = inflate_torch("r3d_50", DEEP, how=how, **WIDTH).variables["params"]
    kernel = np.asarray(params["stem_layer"]["conv"]["kernel"])
    picture = DEEP["conv1.weight"].transpose(2, 3, 1, 0)
    assert kernel.shape == (7, 7, 7, 3, 4)
    np.testing.assert_allclose(kernel.sum(0), picture, rtol=1e-5, atol=1e-7)
    shares = {"mean": [1 / 7] * 7, "center": [0, 0, 0, 1, 0, 0, 0]}[how]
    for frame, share in zip(kernel, shares, strict=True):
        np.testing.assert_allclose(frame, share * picture, rtol=1e-6)
    np.testing.assert_array_equal(params["head"]["kernel"], DEEP["fc.weight"].T)


def test_modules_without_image_weights_are_newly_initialised_and_listed():
    converted = inflate_torch("tam_50", DEEP, **WIDTH)
    assert converted.report.missing == ()
    assert all("/adapt/" in name for name in converted.report.added)
    # Each block has four matrices, and two norms of four vectors.
    assert len(converted.report.added) == 4 * (4 + 2 * 4)
    assert converted.frames == vidjax.model_card("tam_50").clip[0]
    params = converted.variables["params"]
    kernel = DEEP["layer4.0.conv2.weight"].transpose(2, 3, 1, 0)[None]
    np.testing.assert_array_equal(params["layer4"]["block1"]["conv2"]["kernel"], kernel)


def test_methods_in_the_video_network_are_newly_initialised():
    converted = inflate_torch("r3d_18", BASIC, class_reg={"stages": (4,)}, **NETWORKS["r3d_18"][1])
    assert converted.report.added == ("layer4/after_stage/class_reg/kernel",)


def test_variables_and_files_of_an_image_network_give_equal_weights():
    image = load_torch("resnet_50", DEEP, **WIDTH)
    from_file = inflate_torch("slowonly_50", DEEP, **WIDTH)
    for given in (image, image.variables):
        converted = inflate(given, "slowonly_50", **WIDTH)
        jax.tree.map(np.testing.assert_array_equal, converted.variables, from_file.variables)
        assert (converted.mean, converted.std) == (image.mean, image.std)
    others = ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    converted = inflate(image, "slowonly_50", colours=others, **WIDTH)
    assert (converted.mean, converted.std) == others


def test_colours_of_cifar_networks_are_those_of_their_projects():
    akamaster = inflate_torch("r3d_18", SMALL, **CIFAR)
    assert akamaster.report.layout == "akamaster pytorch_resnet_cifar10"
    assert akamaster.mean == (0.485, 0.456, 0.406)
    renamed = {key.replace("linear", "fc"): value for key, value in SMALL.items()}
    bearpaw = inflate_torch("r3d_18", renamed, **CIFAR)
    assert bearpaw.std == (0.2023, 0.1994, 0.2010)
    options = {"width": 4, "depths": (2, 1, 1)}
    assert load_torch("cifar_resnet_110", renamed, **options).mean == bearpaw.mean
    assert load_torch("cifar_resnet_110", SMALL, **options).mean == akamaster.mean


@pytest.mark.slow
@pytest.mark.parametrize("name", ["r3d_50", "slowonly_50", "tsm_50", "tam_50", "tam_ibm_50"])
def test_parity_of_names_with_the_published_resnet_50(name, shared):
    keys = references.key_list(shared, "resnet-50")
    empty = {key: np.broadcast_to(np.float32(0), shape) for key, shape in keys.items()}
    report = inflate_torch(name, empty).report
    assert (report.layout, report.misfits) == ("torchvision image", 0)
    assert bool(report.added) == (name == "tam_50")


def test_another_number_of_classes_gives_a_new_classifier():
    converted = inflate_torch("slowonly_50", DEEP, 3, **WIDTH)
    assert converted.report.reinitialised == ("head/bias", "head/kernel")
    assert converted.variables["params"]["head"]["kernel"].shape == (128, 3)


@pytest.mark.parametrize(
    ("name", "weights", "more", "message"),
    [
        ("slowonly_50", DEEP, {"how": "median"}, "how = 'median': one of mean, center"),
        ("resnet_50", DEEP, {}, "resnet_50 is an image network itself"),
        ("r3d_50", BASIC, {}, "the file does not fit r3d_50.*layer1/block1/conv3/kernel"),
        ("i3d", DEEP, {"depths": None}, "i3d has no option 'depths'"),
        (
            "r3d_50",
            DEEP,
            {"stem_pool": False},
            "has 28 from images of 112 pixels, but r3d_50 has 56",
        ),
        ("r3d_50", DEEP, {"how": "center", "stem_kernel": (4, 7, 7)}, "4 frames has no middle"),
        ("r3d_50", DEEP, {"allow": ["all"]}, "allow = .'all'.: a list of some of"),
        (
            "r3d_50",
            {key: value for key, value in DEEP.items() if not key.startswith("fc")},
            {},
            "these weights have no classifier: pass num_classes",
        ),
        ("r3d_50", {"a.weight": np.ones((2, 2))}, {}, "only image ResNets with .*a.weight"),
    ],
)
def test_networks_that_cannot_be_inflated_are_refused(name, weights, more, message):
    with pytest.raises(ValueError, match=message):
        inflate_torch(name, weights, **WIDTH | more)


@pytest.mark.parametrize("name", ["r3d_50", "slowonly_50", "tsm_50"])
def test_image_weights_without_inflation_are_refused_with_the_fix(name):
    with pytest.raises(ValueError, match="image network: vidjax convert --inflate="):
        load_torch(name, DEEP, **WIDTH)


@pytest.mark.slow
def test_a_run_starts_from_an_inflated_folder(tmp_path):
    state = {key: np.ascontiguousarray(value) for key, value in SMALL.items()}
    save_file(state, tmp_path / "resnet.safetensors")
    options = [f"--option={key}={value}" for key, value in CIFAR.items()]
    arguments = ("--model=r3d_18", f"--checkpoint={tmp_path}/resnet.safetensors", *options)
    done = run_command("experiments.convert", *arguments, f"--output={tmp_path}/none")
    assert "--inflate=mean" in refusal(done)
    arguments = (*arguments, "--inflate=mean", f"--output={tmp_path}/weights")
    done = run_command("experiments.convert", *arguments)
    assert done.returncode == 0, done.stderr
    assert "9 inflated" in done.stdout
    assert json.loads((tmp_path / "weights/model.json").read_text())["source"].endswith(
        "inflated by mean"
    )
    settings = {
        "model.name": "r3d_18",
        "model.weights": tmp_path / "weights",
        "data.options": "{'num_classes':3,'videos':12,'frames':6,'size':20}",
        "clip.frames": 2,
        "clip.size": 16,
        "eval.size": 16,
        "train.duration": "1 steps",
        "train.batch_size": 4,
    }
    flags = [f"--config.{key}={value}" for key, value in settings.items()]
    run = f"--workdir={tmp_path}/run"
    done = run_command("experiments.train", "--config=configs/synthetic.py", run, *flags)
    assert done.returncode == 0, done.stderr
    assert "random: head" in done.stdout + done.stderr
    model = json.loads((tmp_path / "run/config.json").read_text())["model"]
    assert model["options"]["stem_strides"] == [1, 1, 1]
    assert model["mean"] == [0.485, 0.456, 0.406]
