"""Tests all registered networks by their shapes, and one per family by running it."""

import fnmatch
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import vidjax
from tests.quickly import UNOPTIMIZED
from vidjax.evaluation.cost import count_cost
from vidjax.layers.lowering import force_lowering
from vidjax.models.interface import channels_of
from vidjax.models.model_list import variants

NAMES = vidjax.list_models()
# Networks that differ from another one, or from their tiny form, only by more blocks.
DEEPER = ("*_101*", "*_152", "*_200", "x3d_l", "x3d_xl", "mtnet_m", "mtnet_l")
SHALLOW = [name for name in NAMES if not any(fnmatch.fnmatch(name, each) for each in DEEPER)]
# Unrolling their prolonged branches takes longest, and mtnet_s is like them.
COUNTED = [
    pytest.param(name, marks=pytest.mark.slow if name in ("mtnet_m", "mtnet_l") else ())
    for name in NAMES
]
CLASSES = 5
ONES = (1, 1, 1, 1)
# One network per family, small enough to run, with its clip.
TINY = {
    "r3d_18": ({"width": 4, "depths": ONES}, (4, 32, 32)),
    "r2plus1d_50": ({"width": 4, "depths": ONES}, (4, 32, 32)),
    "resnext3d_101": ({"width": 4, "depths": ONES, "groups": 4}, (4, 32, 32)),
    "ip_csn_50": ({"width": 4, "depths": ONES}, (8, 32, 32)),
    "slowonly_34": ({"width": 4, "depths": ONES, "dropout": 0.0}, (4, 32, 32)),
    "slowfast_50": ({"width": 16, "depths": ONES, "dropout": 0.0}, (8, 32, 32)),
    "x3d_s": ({"width": 8, "depths": ONES, "neck": 16, "dropout": 0.0}, (4, 32, 32)),
    "i3d": ({"width": 4, "dropout": 0.0}, (8, 32, 32)),
    "mfnet": ({"width": 24, "depths": ONES, "groups": 4}, (4, 32, 32)),
    "tsm_50": ({"width": 8, "depths": ONES, "dropout": 0.0}, (4, 32, 32)),
    "tam_50": ({"width": 4, "depths": ONES, "dropout": 0.0}, (4, 32, 32)),
    "blvnet_tam_50": ({"width": 8, "depths": (2, 2, 2, 1), "dropout": 0.0}, (4, 64, 64)),
    # Nothing recurs over one frame: the last stage must have two.
    "mtnet_s": ({"width": 8, "depths": (1, 1, 0, 0), "dropout": 0.0}, (8, 32, 32)),
    "cifar_resnet_110": ({"width": 4, "depths": (1, 1, 1)}, (1, 16, 16)),
    "s3dg": ({"width": 4, "dropout": 0.0}, (8, 32, 32)),
    "i3d_r50_nl5": ({"width": 4, "depths": (1, 2, 2, 1), "dropout": 0.0}, (8, 64, 64)),
    "cost_50": ({"width": 4, "depths": (2, 1, 1, 1), "dropout": 0.0}, (8, 32, 32)),
    "tsn_bninception": ({"width": 8, "dropout": 0.0}, (2, 64, 64)),
    "evanet_2": ({"width": 4, "dropout": 0.0}, (8, 64, 64)),
}
# Their special features are tested in `tests/layers`, and their logits against PyTorch's.
RARE = ("s3dg", "i3d_r50_nl5", "cost_50", "tsn_bninception", "evanet_2")
FAMILIES = [pytest.param(name, marks=pytest.mark.slow if name in RARE else ()) for name in TINY]
# A non-default variant of each family.
VARIANTS = {
    "cost_50": "a",
    "i3d_r50_nl5": "mmaction2",
    "s3dg": "slim",
    "slowfast_50": "mmaction2",
    "x3d_s": "mmaction2",
}
# A non-default value of each option.
OTHER = {
    "activate": "sum",
    "block": "bottleneck",
    "cell": "rnn",
    "channels": 4,
    "choose": "highest",
    "delta": 0.5,
    "depths": None,
    "dropout": 0.25,
    "edge": "single",
    "variant": None,
    "fraction": 4,
    "frames": "pooled",
    "groups": 2,
    "keep_time": True,
    "kernels": "dense",
    "lateral_from": "convolution",
    "lateral_kernel": 3,
    "layers": 1,
    "long_clips": True,
    "neck": 32,
    "norm_epsilon": 0.1,
    "norm_group_size": 1,
    "odd": "replicate",
    "persistent_low_res": True,
    "pool": "average",
    "remat": (2,),
    "scan": True,
    "share_norm": True,
    "shortcut": "pad",
    "space_to_depth": True,
    "split_input": False,
    "squared": True,
    "stem_kernel": (1, 3, 3),
    "stem_pool": False,
    "stem_strides": (1, 1, 1),
    "strides": ((1, 1, 1), (1, 2, 2), (2, 2, 2), (1, 1, 1)),
    "stem_width": 16,
    "temporal_convs": 2,
    "temporal_pooling": False,
    "width": 48,
    "zero_init": True,
}


def shapes(run, clip, channels=3):
    """Returns the shapes of a function's results for two clips."""
    with force_lowering("lax"):
        return jax.eval_shape(run, jax.ShapeDtypeStruct((2, *clip, channels), jnp.float32))


def trace(model, clip):
    """Returns shapes of the variables, the logits, and what training sows or updates."""

    def run(x):
        variables = model.init(jax.random.key(0), x, train=False)
        rngs = {"dropout": jax.random.key(1), "noise": jax.random.key(2)}
        mutable = ["batch_stats", "intermediates"]
        return variables, model.apply(variables, x, train=True, rngs=rngs, mutable=mutable)

    return shapes(run, clip)


def first_logits(model, clip):
    """Returns the logits' shape and dtype, from the pass that initialises the variables."""
    init = functools.partial(model.init_with_output, jax.random.key(0), train=False)
    logits, _ = shapes(init, clip, channels_of(model))
    return logits


def stages(name):
    """Returns the sown features that all families have."""
    count = 3 if name.startswith("cifar") else 4
    return {"stem", "pre_logits", *(f"stage{number}" for number in range(1, count + 1))}


@pytest.mark.parametrize("name", SHALLOW)
def test_clips_of_the_card_give_logits(name):
    _, (variables, (logits, state)) = whole(name)
    chex.assert_shape(logits, (2, 7))
    assert logits.dtype == jnp.float32
    assert set(variables) == {"params", "batch_stats"}
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    chex.assert_trees_all_equal_shapes_and_dtypes(variables["batch_stats"], state["batch_stats"])
    sown = state["intermediates"]
    assert stages(name) <= set(sown)
    everything = jax.tree.leaves(sown, is_leaf=lambda value: isinstance(value, tuple))
    assert all(len(value) == 1 for value in everything)
    assert {sown[key][0].dtype for key in stages(name) - {"pre_logits"}} == {jnp.dtype("bfloat16")}
    chex.assert_shape(sown["pre_logits"][0], (2, None))


@pytest.mark.parametrize("name", COUNTED)
def test_the_card_states_the_networks_cost(name):
    card = vidjax.model_card(name)
    # Blocks that repeat the previous one are counted as iterations of a loop.
    repeats = name not in SHALLOW and "scan" in variants()[name].options
    cost = count_cost(vidjax.create_model(name, **{"scan": True} if repeats else {}), card.clip)
    assert (cost.params, cost.macs) == (card.params, card.macs)
    assert card.name == name
    assert all(0 <= value < 1 for value in card.mean)
    assert all(0 < value <= 1 for value in card.std)
    # Every multiply-add belongs to a layer, and every layer with parameters is in the table.
    assert sum(row.macs for row in cost.by_layer) == cost.macs
    assert sum(row.params for row in cost.by_layer) == cost.params


@pytest.mark.parametrize("name", FAMILIES)
def test_one_parameter_tree_fits_all_input_sizes(name):
    frames, height, width = vidjax.model_card(name).clip
    model, (variables, _) = whole(name)
    # TANet has matrices over time, and image networks take one frame.
    others = frames if name == "tam_50" or frames == 1 else 2 * frames
    # BN-Inception refuses other sizes, as its branches halve them differently.
    narrower = width - (32 if name == "tsn_bninception" else 24)
    clip = jax.ShapeDtypeStruct((1, others, height + 32, narrower, 3), jnp.float32)
    with force_lowering("lax"):
        init = functools.partial(model.init, train=False)
        again = jax.eval_shape(init, jax.random.key(0), clip)
    chex.assert_trees_all_equal_shapes_and_dtypes(variables, again)


@pytest.mark.parametrize(
    "name",
    [pytest.param(own, marks=pytest.mark.slow) if own == "mtnet_s" else own for own in FAMILIES],
)
def test_every_option_is_accepted(name):
    given, clip = TINY[name]
    for option in variants()[name].options:
        value = OTHER[option]
        if option == "depths":
            value = tuple(depth + 1 for depth in given["depths"])
        if option == "variant":
            value = VARIANTS.get(name, "pytorchvideo")
        model = vidjax.create_model(name, num_classes=CLASSES, **{**given, option: value})
        chex.assert_shape(first_logits(model, clip), (2, CLASSES))


@functools.cache
def whole(name):
    """Traces a bfloat16 training pass of a network at its card's clip, as shapes."""
    model = vidjax.create_model(name, num_classes=7, dtype=jnp.bfloat16)
    return model, trace(model, vidjax.model_card(name).clip)


@functools.cache
def tiny(name):
    """Returns a small network, clips, variables and the results of one compiled pass."""
    options, shape = TINY[name]
    model = vidjax.create_model(name, num_classes=CLASSES, **options)
    clip = jax.random.normal(jax.random.key(3), (3, *shape, 3))

    def loss_fn(params, stats, x):
        variables = {"params": params, "batch_stats": stats}
        logits, state = model.apply(variables, x, train=True, mutable=["batch_stats"])
        return jnp.sum(jnp.sin(jnp.arange(CLASSES) + logits) ** 2), (logits, state)

    @jax.jit
    def run(variables, x):
        params, stats = variables["params"], variables["batch_stats"]
        (_, trained), grads = jax.value_and_grad(loss_fn, has_aux=True)(params, stats, x)
        return trained, grads, model.apply(variables, x, train=False)

    variables = drawn(model, clip)
    with force_lowering("lax"):
        run = run.lower(variables, clip).compile(UNOPTIMIZED)
    return model, clip, variables, run


def drawn(model, clip):
    """Draws variables in NumPy, as compiling the networks' initialisers takes longer."""
    rng = np.random.default_rng(4)

    def draw(path, leaf):
        name = path[-1].key
        if name in ("scale", "var"):
            return jnp.asarray(rng.uniform(0.5, 1.5, leaf.shape), jnp.float32)
        fan = np.prod(leaf.shape[:-1]) if len(leaf.shape) > 1 else 100
        return jnp.asarray(rng.normal(0, np.sqrt(2 / fan), leaf.shape), jnp.float32)

    init = functools.partial(model.init, train=False)
    return jax.tree_util.tree_map_with_path(draw, jax.eval_shape(init, jax.random.key(0), clip))


@pytest.mark.parametrize("name", FAMILIES)
def test_every_parameter_has_a_gradient(name):
    _, clip, variables, run = tiny(name)
    _, grads, _ = run(variables, clip)
    still = [
        jax.tree_util.keystr(path)
        for path, leaf in jax.tree_util.tree_leaves_with_path(grads)
        if not 0 < float(jnp.abs(leaf).max()) < np.inf
    ]
    assert still == []


@pytest.mark.parametrize("name", FAMILIES)
def test_training_and_evaluation_differ_by_the_batch_statistics(name):
    _, clip, variables, run = tiny(name)
    (logits, state), _, evaluated = run(variables, clip)
    assert float(jnp.abs(logits - evaluated).max()) > 1e-3
    moved = jax.tree.map(
        lambda old, new: bool(jnp.any(old != new)), variables["batch_stats"], state["batch_stats"]
    )
    assert all(jax.tree.leaves(moved))


@pytest.mark.parametrize("name", FAMILIES)
def test_evaluation_treats_clips_independently(name):
    _, clip, variables, run = tiny(name)
    _, _, logits = run(variables, clip)
    _, _, turned = run(variables, clip[::-1])
    np.testing.assert_allclose(turned[::-1], logits, atol=1e-5)
    _, _, others = run(variables, clip.at[1:].multiply(-3.0))
    np.testing.assert_allclose(others[0], logits[0], atol=1e-5)
    assert float(jnp.abs(others[1] - logits[1]).max()) > 1e-4


@pytest.mark.parametrize("name", ["r3d_18", "x3d_s", "tam_50"])
def test_bfloat16_stays_near_float32(name):
    _, clip, variables, run = tiny(name)
    options, _ = TINY[name]
    half = vidjax.create_model(name, num_classes=CLASSES, dtype=jnp.bfloat16, **options)
    with force_lowering("lax"):
        logits = jax.jit(lambda v, x: half.apply(v, x, train=False))(variables, clip)
    _, _, expected = run(variables, clip)
    np.testing.assert_allclose(logits, expected, atol=0.05 * float(jnp.std(expected)) + 0.01)


SCANNED = [
    ("r3d_50", {}),
    pytest.param("x3d_s", {"neck": 8, "dropout": 0.0}, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "more"), SCANNED)
def test_scanned_blocks_are_the_same_network(name, more):
    shape = {"num_classes": CLASSES, "width": 8, "depths": (1, 7, 0, 0), **more}
    clip = jax.random.normal(jax.random.key(5), (2, 2, 32, 32, 3))
    variables = drawn(vidjax.create_model(name, **shape), clip)

    def passes(scan):
        model = vidjax.create_model(name, scan=scan, **shape)

        def loss_fn(params, stats, x):
            variables = {"params": params, "batch_stats": stats}
            mutable = ["batch_stats", "intermediates"]
            logits, state = model.apply(variables, x, train=True, mutable=mutable)
            return jnp.sum(logits**2), (logits, state)

        with force_lowering("lax"):
            lowered = jax.jit(jax.value_and_grad(loss_fn, has_aux=True)).lower(
                variables["params"], variables["batch_stats"], clip
            )
            operations = lowered.as_text().count("stablehlo.convolution")
            result = lowered.compile(UNOPTIMIZED)(
                variables["params"], variables["batch_stats"], clip
            )
        return operations, result

    plain, expected = passes(scan=False)
    scanned, result = passes(scan=True)
    assert scanned < 0.8 * plain
    scale = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(expected))
    chex.assert_trees_all_close(result, expected, rtol=1e-3, atol=1e-5 * scale)


def test_an_exported_network_computes_the_same():
    model, clip, variables, _ = tiny("ip_csn_50")
    with force_lowering("lax"):
        function = jax.jit(lambda variables, x: model.apply(variables, x, train=False))
        frozen = export.export(function)(variables, clip).serialize()
        again = export.deserialize(frozen)
        expected = function(variables, clip)
    np.testing.assert_allclose(again.call(variables, clip), expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["resnet_50", "cifar_resnet_110"])
def test_image_networks_take_one_frame(name):
    with pytest.raises(ValueError, match="clips of T = 1 frame, not 4"):
        first_logits(vidjax.create_model(name), (4, 32, 32))


@pytest.mark.parametrize(
    ("name", "options", "clip", "message"),
    [
        ("slowfast_50", {}, (10, 32, 32), "T = 10 is not a multiple"),
        ("blvnet_tam_50", {}, (5, 32, 32), "T = 5 is odd"),
        ("blvnet_tam_50", {"depths": ONES}, (4, 32, 32), "depths = .* at least 2"),
        ("slowfast_50", {"width": 12}, (8, 32, 32), "width = 12: must be a multiple of 8"),
        ("slowonly_50", {"temporal_convs": 2}, (8, 32, 32), "no option 'temporal_convs'"),
        ("slowonly_34", {"temporal_convs": 3}, (8, 32, 32), "temporal_convs = 3"),
        ("mfnet", {"width": 32}, (4, 32, 32), "width = 32: must be a multiple of 96"),
        ("resnext3d_101", {"width": 10}, (8, 32, 32), "cannot be divided into 32 groups"),
        ("r2plus1d_34", {"variant": "caffe2"}, (8, 32, 32), "'caffe2': must be one of tran"),
        ("x3d_s", {"variant": "tran"}, (8, 32, 32), "'tran': must be one of pytorchvideo"),
        ("ip_csn_50", {"variant": "tran"}, (8, 32, 32), "variant = 'tran': must be one of vmz"),
        (
            "slowfast_50",
            {"variant": "tran"},
            (8, 32, 32),
            "variant = 'tran': must be one of pytorchvideo",
        ),
        (
            "r3d_50",
            {"shortcut": "none"},
            (8, 32, 32),
            "shortcut = 'none': must be one of projection",
        ),
        ("r3d_50", {"depths": [1, 1, 1]}, (8, 32, 32), "depths = .* 4"),
    ],
)
def test_invalid_clips_and_options_are_refused(name, options, clip, message):
    with pytest.raises(ValueError, match=message):
        first_logits(vidjax.create_model(name, **options), clip)
