"""Tests Class Regularization against golden files and NumPy, and inside networks."""

import functools
import re
from pathlib import Path

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

import vidjax
from tests.quickly import UNOPTIMIZED
from vidjax.layers.lowering import force_lowering
from vidjax.methods.class_regularization import (
    ClassRegularization,
    agreement,
    check,
    guesses,
    same_guess,
    scale,
)

BOUNDS = {"printed": "printed", "lam1": "unit", "sym": "symmetric"}
RNG = np.random.default_rng(0)
X = (RNG.normal(size=(4, 2, 3, 3, 6)) + RNG.normal(size=(4, 1, 1, 1, 6))).astype(np.float32)
W, KERNEL = (RNG.normal(size=shape).astype(np.float32) for shape in ((10, 7), (10, 6)))
LAST = (0, 2, 3, 4, 1)
ONES = (1, 1, 1, 1)
PLACES = [f"layer{stage}" for stage in (1, 2, 3, 4)]
AFTER = "1/after_stage={} 2/after_stage={} 3/after_stage={} 4/after_stage={}"
TINY = {"num_classes": 5, "width": 8, "depths": ONES}
CLIP = RNG.normal(size=(2, 4, 32, 32, 3)).astype(np.float32)


def run(x=X, w=W, kernel=KERNEL, train=False, params=None, **settings):
    """Returns the output and the sown values."""
    variables = {"params": {"class_reg": {"kernel": kernel, **(params or {})}}}
    module = ClassRegularization(**settings)
    y, state = module.apply(variables, x, classifier=w, train=train, mutable=["intermediates"])
    return y, {name: value[0] for name, value in state["intermediates"].items()}


def account(x, w, kernel, affection=0.9, relu=True, level="sample", match="sum"):
    """Computes the output for symmetric bounds, and the classes, in float64."""
    x, rows = np.float64(x), np.float64(w).T @ np.float64(kernel)
    rows = np.maximum(rows, 0) if relu else rows
    evidence = rows * x.mean((1, 2, 3))[:, None]
    scores = evidence.max(-1) if match == "max" else evidence.sum(-1)
    classes = (np.tile(scores.mean(0), (len(x), 1)) if level == "batch" else scores).argmax(1)
    row = rows[classes]
    low, high = row.min(1, keepdims=True), row.max(1, keepdims=True)
    factor = affection + 2 * (1 - affection) * (row - low) / (high - low)
    return x * factor[:, None, None, None], classes


@pytest.fixture
def golden(shared):
    return np.load(shared / "golden/class_regularization.npz")


def results(golden):
    """Yields case, quantity, level, bounds, affection and value of each golden result."""
    pattern = re.compile(r"([^_]+)_(scale|y)(_batch)?_(printed|lam1|sym)_(\d{3})")
    for name, value in golden.items():
        if found := pattern.fullmatch(name):
            case, what, batch, bounds, affection = found.groups()
            level = "batch" if batch else "sample"
            yield case, what, level, BOUNDS[bounds], int(affection) / 100, value


def golden_run(golden, case, **settings):
    """Returns input, output and sown values; golden rows have a bias and perhaps a ReLU."""
    x, w = golden[f"{case}_a"].transpose(LAST), golden[f"{case}_fc_kernel_NxC2"].T
    kernel, bias = golden[f"{case}_proj_kernel_CxC2"].T, golden[f"{case}_proj_bias"]
    return x, *run(x, w, kernel, params={"bias": bias}, bias=True, relu=case == "relu", **settings)


def test_golden_scales_and_outputs(golden) -> None:
    assert {bounds for _, _, _, bounds, _, _ in results(golden)} == set(BOUNDS.values())
    for case, what, level, bounds, affection, expected in results(golden):
        x, y, _ = golden_run(golden, case, affection=affection, bounds=bounds, level=level)
        if what == "scale":
            row = golden[f"{case}_W_proj"][golden[f"{case}_class_{level}"]]
            np.testing.assert_allclose(scale(row, affection, bounds), expected, atol=1e-5)
        scaled = what == "scale" and x * jnp.expand_dims(jnp.atleast_2d(expected), (1, 2, 3))
        expected = expected.transpose(LAST) if what == "y" else scaled
        np.testing.assert_allclose(y, expected, atol=1e-5)


def test_golden_classes(golden) -> None:
    forms = {"sample": {}, "maxelem": {"match": "max"}, "batch": {"level": "batch"}}
    for case in {name.split("_")[0] for name in golden}:
        for form, settings in forms.items():
            _, _, sown = golden_run(golden, case, **settings)
            classes = np.broadcast_to(golden[f"{case}_class_{form}"], sown["class_index"].shape)
            np.testing.assert_array_equal(sown["class_index"], classes)
        _, _, sown = golden_run(golden, case)
        chosen = golden[f"{case}_class_sample"]
        expected = golden[f"{case}_softmax"][np.arange(len(chosen)), chosen]
        np.testing.assert_allclose(sown["class_probability"], expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("match", ["sum", "max"])
@pytest.mark.parametrize("level", ["sample", "batch"])
@pytest.mark.parametrize("relu", [True, False])
def test_it_equals_the_numpy_reference(relu, level, match, dtype) -> None:
    settings = {"relu": relu, "level": level, "match": match, "affection": 0.6}
    x = jnp.asarray(X, dtype)
    y, sown = run(x, **settings)
    expected, classes = account(x, W, KERNEL, **settings)
    assert len(set(classes)) > 1 or level == "batch"
    np.testing.assert_allclose(np.float64(y), expected, rtol=jnp.finfo(dtype).eps, atol=1e-5)
    index, probability = sown["class_index"], sown["class_probability"]
    np.testing.assert_array_equal(index, classes)
    chex.assert_shape(probability, (len(X),))
    assert (y.dtype, index.dtype, probability.dtype) == (dtype, jnp.int32, jnp.float32)
    assert 0 < probability.min() <= probability.max() <= 1
    chex.assert_trees_all_equal((y, sown), run(x, train=True, **settings))


@pytest.mark.parametrize("bounds", ["symmetric", "unit", "printed"])
def test_constant_rows_and_affection_one_have_exactly_no_effect(bounds) -> None:
    rows = jnp.stack([jnp.zeros(6), jnp.full(6, -3.7), jnp.full(6, 1e30), KERNEL[0]])
    if bounds != "printed":
        np.testing.assert_array_equal(scale(rows, 1.0, bounds), 1)
        np.testing.assert_array_equal(scale(rows[:3], 0.3, bounds), 1)
        np.testing.assert_array_equal(run(w=abs(W), kernel=-abs(KERNEL), bounds=bounds)[0], X)
    loss = jax.value_and_grad(lambda rows: (scale(rows, 0.3, bounds) * jnp.arange(6)).sum())
    chex.assert_tree_all_finite(loss(rows))
    assert jnp.abs(loss(rows)[1][3]).max() > 0


@pytest.mark.parametrize("bias", [False, True])
def test_its_only_parameter_is_the_mapping(bias) -> None:
    init = functools.partial(ClassRegularization(bias=bias).init, classifier=W, train=False)
    variables = jax.eval_shape(init, jax.random.key(0), X)
    expected = {"kernel": (10, 6), **({"bias": (6,)} if bias else {})}
    assert jax.tree.map(jnp.shape, variables) == {"params": {"class_reg": expected}}


def test_the_mapping_has_kaimings_initial_deviation_of_the_fan_out() -> None:
    x, w = jnp.ones((1, 1, 1, 1, 64)), jnp.ones((2048, 3))
    params = ClassRegularization().init(jax.random.key(0), x, classifier=w)["params"]
    assert float(params["class_reg"]["kernel"].std()) == pytest.approx(np.sqrt(2 / 64), rel=0.02)


def test_gradients_reach_features_and_mapping_but_not_the_classifier() -> None:
    rng = np.random.default_rng(1)
    weights, direction = rng.normal(size=X.shape), rng.normal(size=KERNEL.shape)
    loss = jax.grad(lambda *args: (weights * run(*args, affection=0.6)[0]).sum(), (0, 1, 2))
    by_x, by_w, by_kernel = loss(*map(jnp.asarray, (X, W, KERNEL)))
    np.testing.assert_array_equal(by_w, 0)
    expected = weights * account(X, W, KERNEL, 0.6)[0] / X
    np.testing.assert_allclose(by_x, expected, rtol=1e-4, atol=1e-5)
    ahead, back = (account(X, W, KERNEL + step * direction, 0.6)[0] for step in (1e-6, -1e-6))
    expected = (weights * (ahead - back)).sum() / 2e-6
    assert float((by_kernel * direction).sum()) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("affection", 1.5),
        ("affection", -0.1),
        ("bounds", "a"),
        ("level", "b"),
        ("match", "c"),
        ("row", "d"),
    ],
)
def test_invalid_values_are_refused(name, value) -> None:
    settings = {name: value}
    for refuse in (lambda: check(ClassRegularization(**settings)), lambda: run(**settings)):
        with pytest.raises(ValueError, match=f"{name} = {value!r}"):
            refuse()


def test_guesses_are_the_chosen_classes_by_place() -> None:
    index = jnp.asarray([2, 1])
    tree = {"layer1": {"after_stage": {"class_index": (index,)}}, "stage1": (X,)}
    assert guesses(tree).keys() == {"layer1"}
    np.testing.assert_array_equal(guesses(tree)["layer1"], index)


def test_agreement_is_named_by_its_places() -> None:
    logits = jnp.asarray([[0.0, 1.0, 2.0], [3.0, 1.0, 2.0]])
    first, second = ({"class_index": (jnp.asarray(index),)} for index in ([2, 1], [0, 0]))
    tree = {"layer1": {"after_stage": first}, "layer2": {"after_block2": second, "block1": {}}}
    expected = {"agreement/layer1": [1, 0], "agreement/layer2_block2": [0, 1]}
    found = agreement({"stage1": (X,), **tree}, logits)
    assert {key: value.tolist() for key, value in found.items()} == expected
    assert agreement({"stage1": (X,), "layer1": {}}, logits) == {}


def test_guesses_that_are_the_same_are_counted_in_the_batch() -> None:
    index = jnp.asarray([4, 2, 4, 1, 4])
    tree = {"layer2": {"after_stage": {"class_index": (index,)}}}
    ((name, found),) = same_guess(tree).items()
    assert name == "same_guess/layer2"
    assert found.tolist() == [True, False, True, False, True]


def traced(name, **options):
    """Traces a network: modules and parameters by path, and shapes of the sown values."""
    model, modules = vidjax.create_model(name, **options), {}

    def spy(call, args, kwargs, context):
        if isinstance(context.module, ClassRegularization):
            modules["/".join(context.module.path)] = context.module
        return call(*args, **kwargs)

    def both(x):
        variables = model.init(jax.random.key(0), x, train=False)
        return variables, model.apply(variables, x, train=False, mutable=["intermediates"])[1]

    with nn.intercept_methods(spy), force_lowering("lax"):
        variables, state = jax.eval_shape(both, np.zeros((2, 8, 32, 32, 3), np.float32))
    return modules, flatten_dict(variables["params"], sep="/"), state["intermediates"]


@pytest.mark.parametrize(
    ("name", "added"),
    [
        *((f"{name}_50_e1", 512 * 960) for name in ("r3d", "wide_r3d", "r2plus1d")),
        ("resnext3d_101", 2048 * (256 + 512 + 1024 + 2048)),
        ("x3d_s", 2048 * (24 + 48 + 96 + 192)),
        ("slowfast_50", (2048 + 256) * (3840 + 480)),  # In both pathways.
        ("i3d", 1024 * (480 + 832 + 1024)),
    ],
)
def test_networks_have_a_mapping_at_each_stage(name, added) -> None:
    options = {} if name == "i3d" else {"depths": ONES}
    modules, params, _ = traced(name, class_reg={}, **options)
    _, plain, _ = traced(name, **options)
    new = {key: leaf.shape for key, leaf in params.items() if key not in plain}
    chex.assert_trees_all_equal_shapes(plain, {key: params[key] for key in plain})
    assert set(new) == {f"{path}/class_reg/kernel" for path in modules}
    assert {shape[0] for shape in new.values()} == {plain["head/kernel"].shape[0]}
    assert sum(map(np.prod, new.values())) == added
    assert name != "i3d" or set(modules) == {"after_stage2", "after_stage3", "after_stage4"}


DOCUMENTED = re.findall(
    r"^\| `(\w+)` \| ([\d,]+) \| [^|]+ \| ([\d,]+) M \|",
    (Path(__file__).parents[2] / "docs/class_regularization.md").read_text(),
    re.MULTILINE,
)


# The other networks are counted in the same way.
QUICK = ("r3d_50_e1", "mtnet_s")


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [pytest.param(*row, marks=() if row[0] in QUICK else pytest.mark.slow) for row in DOCUMENTED],
)
def test_the_documented_costs_are_correct(name, params, macs) -> None:
    """Depth and clip are small here, because they do not matter."""
    options = {} if name == "i3d" else {"depths": ONES}
    plain, regularized = (
        vidjax.count_cost(vidjax.create_model(name, **options, **method), (8, 32, 32))
        for method in ({}, {"class_reg": {}})
    )
    assert regularized.params - plain.params == int(params.replace(",", ""))
    added = (regularized.macs - plain.macs) / 1e6
    assert added == pytest.approx(int(macs.replace(",", "")), abs=1)


def test_the_documentation_has_all_networks_of_the_papers() -> None:
    assert len(DOCUMENTED) == 10


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, AFTER.format(0.9, 0.8, 0.7, 0.6)),
        ({"after": "block", "stages": (4,)}, "4/after_block1=0.6 4/after_block2=0.6"),
        ({"variant": "icip"}, AFTER.format(0.9, 0.8, 0.7, 0.6)),
        (
            {"variant": "icip", "after": "block", "stages": [4]},
            "4/after_block1=0.6 4/after_block2=0.6",
        ),
        ({"affection": (0.4, 0.3, 0.2, 0.1)}, AFTER.format(0.4, 0.3, 0.2, 0.1)),
        ({"stages": (2, 3)}, "2/after_stage=0.8 3/after_stage=0.7"),
    ],
)
def test_it_is_placed_according_to_the_settings(settings, expected) -> None:
    more = {"bounds": "unit", "level": "batch", "bias": True, "match": "max"}
    options = TINY | {"depths": (1, 1, 1, 2), "class_reg": settings | more}
    modules, _, sown = traced("r3d_18", **options)
    found = [f"{path[5:]}={module.affection}" for path, module in sorted(modules.items())]
    assert " ".join(found) == expected
    more["relu"] = settings.get("variant") != "icip"
    for path, module in modules.items():
        assert {key: getattr(module, key) for key in more} == more
        assert f"{path}/class_index" in flatten_dict(sown, sep="/")


def test_scanned_blocks_have_it_too() -> None:
    options = {**TINY, "depths": (1, 8, 1, 1), "class_reg": {"after": "block"}}
    plain, scanned = (traced("r3d_18", scan=scan, **options)[2] for scan in (False, True))
    chex.assert_trees_all_equal_shapes(plain, scanned)


@pytest.fixture(scope="module")
def passes():
    """Returns parameters, outputs of three networks, gradients of stage 3, and logits by vmap."""
    make = functools.partial(vidjax.create_model, "r3d_18", **TINY)
    jit = functools.partial(jax.jit, compiler_options=UNOPTIMIZED)
    plain, ones, thesis = make(), make(class_reg={"affection": (1.0,) * 4}), make(class_reg={})

    def third(params, model):
        given = {**variables, "params": params}
        logits, state = model.apply(given, CLIP, train=False, mutable=["intermediates"])
        return jnp.sum(state["intermediates"]["stage3"][0] ** 2), (logits, state["intermediates"])

    with force_lowering("lax"):
        variables = jit(functools.partial(thesis.init, train=False))(jax.random.key(0), CLIP)
        params = variables["params"]
        found = [jit(third, static_argnums=1)(params, model)[1] for model in (plain, ones)]
        backward = jit(jax.grad(third, has_aux=True), static_argnums=1)
        grads, regularized = backward(params, thesis)
        clips = jax.vmap(lambda clip: thesis.apply(variables, clip[None], train=False)[0])
        return params, (*found, regularized), grads, jit(clips)(CLIP)


def test_affection_one_is_the_network_without_it(passes) -> None:
    params, ((expected, _), (logits, sown), _), _, _ = passes
    np.testing.assert_array_equal(logits, expected)
    for stage in PLACES:
        features = sown[stage.replace("layer", "stage")][0]
        kernel = params[stage]["after_stage"]["class_reg"]["kernel"]
        _, classes = account(features, params["head"]["kernel"], kernel)
        np.testing.assert_array_equal(sown[stage]["after_stage"]["class_index"][0], classes)


def test_in_a_network_the_mappings_learn_and_the_classifier_is_unaffected(
    passes,
) -> None:
    _, ((plain, _), _, (logits, sown)), grads, by_clip = passes
    assert not np.array_equal(logits, plain)
    np.testing.assert_allclose(by_clip, logits, atol=1e-5)
    assert not any(jnp.any(leaf) for leaf in jax.tree.leaves(grads["head"]))
    moved = [jnp.any(grads[stage]["after_stage"]["class_reg"]["kernel"]) for stage in PLACES]
    assert list(map(bool, moved)) == [True, True, True, False]
    classes = {f"agreement/{stage}": sown[stage]["after_stage"]["class_index"] for stage in PLACES}
    expected = {name: index == logits.argmax(-1) for name, (index,) in classes.items()}
    chex.assert_trees_all_equal(agreement(sown, logits), expected)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"affection": (0.9, 0.8)}, "0.9, 0.8"),
        ({"affection": (0.9, 0.8, 0.7, 1.5)}, "1.5"),
        ({"affection": (0.9, "x", 0.7, 1.0)}, "affection = 'x'"),
        ({"relu": "no"}, "relu = 'no': must be True or False"),
        ({"bounds": "wide"}, "'wide'"),
        ({"after": "norm"}, "'norm'"),
        ({"variant": "paper"}, "'paper'"),
        ({"stages": (5,)}, "stage 5"),
        ({"afection": ()}, "no setting 'afection': did you mean 'affection'"),
    ],
)
def test_networks_refuse_invalid_settings(settings, message) -> None:
    with pytest.raises(ValueError, match=message):
        vidjax.create_model("r3d_18", class_reg=settings)
