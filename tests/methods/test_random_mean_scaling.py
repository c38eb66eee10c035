import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vidjax
from tests.quickly import quickly
from vidjax.layers.low_pass import low_pass, window_weights
from vidjax.methods.random_mean_scaling import RandomScaling, expectation, sample

BORDERS = {"excludepad": "clip", "zeropad": "zero", "replicate": "replicate"}
X = jnp.asarray(np.random.default_rng(0).normal(size=(6, 4, 5, 5, 3)), jnp.float32)


def run(x=X, seed=0, train=True, **settings):
    rngs = {"noise": jax.random.key(seed)}
    return RandomScaling(**settings).apply({}, x, train=train, rngs=rngs)


def channels_last(x):
    return jnp.asarray(x.transpose(0, 2, 3, 4, 1))


@pytest.mark.parametrize("border", BORDERS)
def test_golden_means_and_scaled_features(border, shared, monkeypatch):
    golden = np.load(shared / "golden/rms.npz")
    x = channels_last(golden["x"])
    mean = low_pass(x, border=BORDERS[border])
    np.testing.assert_allclose(mean, channels_last(golden[f"mean_{border}"]), atol=1e-5)
    draws = jnp.asarray(golden["alpha"])
    monkeypatch.setattr("vidjax.methods.random_mean_scaling.sample", lambda *_: draws)
    y = run(x, border=BORDERS[border])
    np.testing.assert_allclose(y, channels_last(golden[f"y_{border}"]), atol=1e-5)


def test_golden_gaussians(shared, monkeypatch):
    golden = np.load(shared / "golden/rms.npz")
    x, draws = channels_last(golden["x"]), jnp.asarray(golden["alpha"])
    monkeypatch.setattr("vidjax.methods.random_mean_scaling.sample", lambda *_: draws)
    names = [name for name in golden if name.startswith("gauss_kernel_")]
    for tenths in (name.removeprefix("gauss_kernel_") for name in names):
        std = int(tenths) / 10
        weights = window_weights(3, std)
        kernel = np.einsum("t,h,w->thw", weights, weights, weights)
        np.testing.assert_allclose(kernel, golden[f"gauss_kernel_{tenths}"], atol=1e-6)
        for border in ("zeropad", "excludepad"):
            y = run(x, low_pass="gaussian", std=std, border=BORDERS[border])
            expected = channels_last(golden[f"y_gauss_{border}_{tenths}"])
            np.testing.assert_allclose(y, expected, atol=1e-5)


@pytest.mark.parametrize("target", ["mean", "input", "residual"])
def test_one_factor_per_clip_scales_the_target(target):
    y = run(target=target)
    part = {"mean": low_pass(X), "input": X, "residual": X - low_pass(X)}[target]
    factors = []
    for clip in range(len(X)):
        own, change = np.ravel(part[clip]), np.ravel(y[clip] - X[clip])
        alpha = own @ change / (own @ own)
        np.testing.assert_allclose(change, alpha * own, atol=1e-5)
        factors.append(alpha)
    assert len({round(float(alpha), 4) for alpha in factors}) == len(X)


@pytest.mark.parametrize("target", ["mean", "input", "residual"])
def test_evaluation_with_mean_one_has_exactly_no_effect(target):
    module = RandomScaling(target=target)
    assert not jax.make_jaxpr(lambda x: module.apply({}, x, train=False))(X).eqns
    np.testing.assert_array_equal(module.apply({}, X, train=False), X)


def test_evaluation_takes_the_expected_factor():
    y = run(distribution=("uniform", 0.0, 1.0), train=False)
    np.testing.assert_allclose(y, X - 0.5 * low_pass(X), atol=1e-6)


@pytest.mark.parametrize(
    ("distribution", "mean", "deviation"),
    [
        (("normal", 1.0, 0.5), 1.0, 0.5),
        (("uniform", -0.5, 2.5), 1.0, 3 / np.sqrt(12)),
        (("uniform", 0.0, 1.0), 0.5, 1 / np.sqrt(12)),
    ],
)
def test_draws_have_the_expected_moments(distribution, mean, deviation):
    draws = np.asarray(sample(jax.random.key(1), distribution, 40_000))
    # Five standard errors of the mean; 5 % of the deviation.
    assert abs(draws.mean() - mean) < 5 * deviation / 200
    assert draws.std() == pytest.approx(deviation, rel=0.05)
    assert expectation(distribution) == mean
    if distribution[0] == "uniform":
        assert distribution[1] <= draws.min() < draws.max() <= distribution[2]
    else:
        assert (draws < 0).mean() == pytest.approx(0.0228, abs=0.005)


def test_the_gradient_treats_the_factor_as_constant():
    """For given factors y is linear in x, so its gradient is the transposed map at any x."""
    weights = jnp.asarray(np.random.default_rng(2).normal(size=X.shape), jnp.float32)
    gradient = jax.grad(lambda x: (weights * run(x)).sum())
    np.testing.assert_allclose(gradient(X), gradient(3 * X + 1), atol=1e-5)
    direction = jnp.flip(X, axis=1)
    change = ((run(X + direction) - run(X)) * weights).sum()
    assert float((gradient(X) * direction).sum()) == pytest.approx(float(change), rel=1e-3)


def test_draws_depend_only_on_the_key():
    np.testing.assert_allclose(jax.jit(functools.partial(run, seed=3))(X), run(seed=3), atol=1e-6)
    assert not np.allclose(run(seed=3), run(seed=4))


def test_images_are_clips_of_one_frame():
    x = X[:, :1]
    np.testing.assert_allclose(low_pass(x), low_pass(x, (1, 3, 3)), atol=1e-6)
    assert run(x).shape == x.shape


def model(name, **settings):
    depths = {"width": 4, "depths": (1, 1, 1, 1)}
    return vidjax.create_model(name, num_classes=3, random_scaling=settings, **depths)


def places(name, **settings):
    """Returns the modules of a network that draw: their output differs in training."""
    clip = jax.ShapeDtypeStruct((2, 4, 32, 32, 3), jnp.float32)
    network = model(name, **settings)

    def run(x):
        variables = network.init(jax.random.key(0), x, train=False)
        rngs = {"noise": jax.random.key(1), "dropout": jax.random.key(2)}
        mutable = ["batch_stats", "intermediates"]
        kwargs = {"capture_intermediates": True, "mutable": mutable, "rngs": rngs}
        return network.apply(variables, x, train=True, **kwargs)[1]["intermediates"]

    leaves = jax.tree_util.tree_leaves_with_path(jax.eval_shape(run, clip))
    keys = ["/".join(part.key for part in path if hasattr(part, "key")) for path, _ in leaves]
    return [key.removesuffix("/__call__") for key in keys if "/before_" in key]


def test_it_is_placed_as_in_the_paper():
    assert places("slowonly_34") == [
        f"layer{stage}/block1/before_norm{place}" for stage in (3, 4) for place in (1, 2)
    ]
    assert places("slowonly_50") == [f"layer{stage}/block1/before_norm3" for stage in (3, 4)]
    assert places("slowonly_50", at=("conv1", "act3"), stages=(2,)) == [
        "layer2/block1/before_act3",
        "layer2/block1/before_conv1",
    ]


def test_networks_with_it_have_the_same_parameters_and_evaluate_the_same():
    clip = jax.random.normal(jax.random.key(5), (2, 4, 32, 32, 3))
    plain = vidjax.create_model("r3d_18", num_classes=3, width=4, depths=(1, 1, 1, 1))
    scaled = model("r3d_18", stages=(1, 2, 3, 4))
    variables = quickly(lambda key: plain.init(key, clip, train=False))(jax.random.key(6))

    def evaluated(network):
        return quickly(lambda v: network.apply(v, clip, train=False))(variables)

    def trained(network):
        def run(variables, key):
            state = {"train": True, "rngs": {"noise": key}, "mutable": ["batch_stats"]}
            return network.apply(variables, clip, **state)[0]

        run = quickly(run)
        return [run(variables, jax.random.key(seed)) for seed in (0, 1)]

    np.testing.assert_array_equal(evaluated(scaled), evaluated(plain))
    (first, second), (without, _) = trained(scaled), trained(plain)
    assert not np.allclose(first, without)
    assert not np.allclose(first, second)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": "means"}, "target = 'means': must be one of mean, input, residual"),
        ({"distribution": ("cauchy", 0, 1)}, "distribution = .'cauchy'"),
        ({"distribution": ("normal", 1.0)}, "distribution = "),
        ({"distribution": ("normal", 1.0, -0.5)}, "distribution = .*at least 0"),
        ({"distribution": ("normal", 1.0, float("nan"))}, "distribution = "),
        ({"distribution": ("uniform", 2.0, 1.0)}, "distribution = .*with low <= high"),
        ({"window": (3, 3, 4)}, "window = .3, 3, 4.: must be three odd numbers"),
        ({"window": (3, 3)}, "window = .3, 3.: must be three odd numbers"),
        ({"window": 3}, "window = 3: must be three odd numbers"),
        ({"std": "x"}, "std = 'x': must be a number above 0"),
        ({"std": 0.0}, "std = 0.0: must be a number above 0"),
        ({"at": "norm3"}, "at = 'norm3': expected a tuple of points"),
        ({"at": ()}, "at = ..: expected a tuple of points"),
        ({"stages": (3, 3)}, "stages = .3, 3.: must be a tuple of distinct"),
        ({"low_pass": "median"}, "low_pass = 'median': must be one of mean, gaussian"),
        ({"stages": 3}, "random_scaling stages = 3: must be a tuple"),
        ({"stages": (5,)}, "random_scaling in stage 5: this network.s stages are 1, 2, 3, 4"),
        ({"at": ("norm4",)}, "'norm4' is not a point of a bottleneck block, which has conv1"),
        ({"sigma": 1}, "random_scaling has no setting 'sigma'"),
    ],
)
def test_invalid_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        model("r3d_50", **settings)


def test_settings_must_be_a_mapping():
    with pytest.raises(ValueError, match="random_scaling = True: expected a mapping of settings"):
        vidjax.create_model("r3d_50", random_scaling=True)


def test_networks_without_residual_branches_refuse_it():
    with pytest.raises(ValueError, match="i3d does not support random_scaling"):
        vidjax.create_model("i3d", random_scaling={})


@pytest.mark.parametrize(
    ("name", "at", "behind"),
    [
        ("r3d_34", None, ["norm1", "norm2"]),
        ("r3d_50", None, []),
        ("r3d_50", ("norm2", "act2"), ["act2", "norm2"]),
    ],
)
def test_points_at_a_multi_temporal_convolution_are_after_its_activation(name, at, behind):
    """Checked by the input there: it has passed an activation if nothing is below zero."""
    settings = {} if at is None else {"at": at}

    def arriving(**more):
        model = vidjax.create_model(
            name, num_classes=3, width=8, depths=(0, 0, 1, 0), random_scaling=settings, **more
        )
        found = {}

        def note(call, args, kwargs, context):
            if isinstance(context.module, RandomScaling):
                found[context.module.path[-1].removeprefix("before_")] = float(args[0].min())
            return call(*args, **kwargs)

        clip = jax.random.normal(jax.random.key(0), (1, 4, 16, 16, 3))
        with nn.intercept_methods(note):
            model.init(jax.random.key(1), clip, train=False)
        return found

    plain, moved = arriving(), arriving(multi_temporal={})
    assert all(least < 0 for least in plain.values())
    assert sorted(point for point, least in moved.items() if least >= 0) == behind
