"""Tests the dtypes of a training step in bfloat16, read from its program."""

import functools

import jax
import jax.numpy as jnp
import optax
import pytest

import vidjax
from vidjax.layers.lowering import force_lowering
from vidjax.program import read_program
from vidjax.run.state import TrainState
from vidjax.training.step import Step

HALF, FULL = jnp.dtype("bfloat16"), jnp.dtype("float32")
SMALL = {"width": 8, "depths": (1, 1, 0, 0)}
# Name, options and clip; each case has layers that the others lack.
CASES = {
    "plain": ("r3d_18", SMALL | {"dropout": 0.5}, (4, 16, 16)),
    "channel-wise, excited": ("x3d_s", SMALL | {"neck": 8}, (4, 32, 32)),
    "two pathways": ("slowfast_50", SMALL | {"depths": (1, 0, 0, 0)}, (16, 32, 32)),
    "multi-temporal": ("mtnet_s", {"width": 16, "depths": (1, 0, 0, 0), "neck": 8}, (8, 32, 32)),
    "gated": ("srtg_r3d_34", SMALL | {"gate": "hard"}, (4, 16, 16)),
    "adaptive": ("tam_50", SMALL | {"depths": (1, 0, 0, 0)}, (4, 32, 32)),
    "regularized, scaled": ("r3d_18", SMALL | {"class_reg": {}, "random_scaling": {}}, (4, 16, 16)),
}


@functools.cache
def traced(case):
    """Returns the step's program, first state, and the dtypes of its results and gradients."""
    name, options, clip = CASES[case]
    model = vidjax.create_model(name, num_classes=3, dtype=jnp.bfloat16, **options)
    sgd, types = optax.sgd(0.1, momentum=0.9), {}

    def update(grads, state, params):
        types["gradients"] = types_of(grads)
        return sgd.update(grads, state, params)

    def run(state, batch):
        types["state"], types["metrics"] = result = step(state, batch)
        return result

    step = Step(model, optax.GradientTransformation(sgd.init, update), (0.4,) * 3, (0.2,) * 3)
    batch = {
        "clip": jax.ShapeDtypeStruct((2, *clip, 3), jnp.uint8),
        "label": jax.ShapeDtypeStruct((2,), jnp.int32),
        "mask": jax.ShapeDtypeStruct((2,), jnp.bool_),
    }
    with force_lowering("lax"):
        state = jax.eval_shape(functools.partial(start, model, sgd, clip))
        return read_program(run, state, batch), state, types


def types_of(tree):
    return {leaf.dtype for leaf in jax.tree.leaves(tree)}


def start(model, optimizer, clip):
    variables = model.init(jax.random.key(0), jnp.zeros((1, *clip, 3)), train=False)
    params, stats = variables["params"], variables["batch_stats"]
    seed = jax.random.key_data(jax.random.key(1))
    return TrainState(jnp.int32(0), params, stats, optimizer.init(params), None, seed)


def operations(case, *primitives):
    return [each for each in traced(case)[0].operations if each.primitive in primitives]


def is_features(value):
    return len(value.shape) > 3


@pytest.mark.parametrize("case", CASES)
def test_every_convolution_uses_bfloat16(case):
    found = operations(case, "conv_general_dilated")
    kernels = [
        path[-2].key
        for path, leaf in jax.tree_util.tree_leaves_with_path(traced(case)[1].params)
        if leaf.ndim == 5
    ]
    # One forward, one for the kernel's gradient, and one for the input's except at the clip.
    assert len(found) >= 3 * len(kernels) - 2
    assert {value.dtype for each in found for value in (*each.inputs, *each.outputs)} == {HALF}


@pytest.mark.parametrize("case", CASES)
def test_only_means_are_multiplied_in_float32(case):
    """The classifier, gates, excitation, cells and Class Regularization read means over positions.

    Features are multiplied in float32 only by constants, when multi-temporal convolutions resize
    them. A product of an array with itself is part of the gradient norm.
    """
    program = traced(case)[0]
    varying = program.depending_on(program.inputs)
    products = operations(case, "dot_general")
    for each in (product for product in products if len(set(product.inputs)) == 2):
        if FULL in {value.dtype for value in each.inputs} and any(map(is_features, each.inputs)):
            assert case == "multi-temporal"
            assert any(value not in varying for value in each.inputs)


@pytest.mark.parametrize("case", CASES)
def test_no_sum_uses_bfloat16(case):
    sums = operations(case, "reduce_sum", "cumsum", "dot_general", "reduce_window_sum")
    assert sums
    # Integers count readable clips.
    assert {value.dtype for each in sums for value in each.outputs} <= {FULL, jnp.dtype("int32")}


@pytest.mark.parametrize("case", CASES)
def test_state_gradients_and_metrics_are_float32(case):
    _, before, types = traced(case)
    assert types["gradients"] == {FULL}
    for state in (before, types["state"]):
        assert types_of((state.params, state.batch_stats, state.opt_state)) == {FULL}
    assert types_of([types["metrics"][name] for name in ("loss", "top1", "grad_norm")]) == {FULL}


@pytest.mark.parametrize("case", CASES)
def test_norms_return_bfloat16_and_compute_in_float32(case):
    program, state, _ = traced(case)
    # Constants, such as zeros, appear once for all layers.
    moving = program.depending_on(program.inputs)
    means = [
        [part.key for part in path[:-1]]
        for path, _ in jax.tree_util.tree_leaves_with_path(state.batch_stats)
        if path[-1].key == "mean"
    ]
    for layer in {"/".join(path) for path in means}:
        inside = [each for each in program.operations if each.layer.endswith("/" + layer)]
        roots = [each for each in inside if each.primitive == "rsqrt"]
        assert roots
        assert {value.dtype for each in roots for value in each.inputs} == {FULL}
        given = {value for each in inside for value in each.outputs}
        leaving = [
            value
            for each in program.operations
            if not each.layer.endswith("/" + layer)
            for value in each.inputs
            if value in given and value in moving and is_features(value)
        ]
        # TAM normalises means over positions, in float32.
        assert {value.dtype for value in leaving} <= {HALF}
        assert leaving or case == "adaptive"


@pytest.mark.parametrize("case", sorted(set(CASES) - {"multi-temporal"}))
def test_the_backward_pass_keeps_features_in_bfloat16(case):
    """SoftPool in multi-temporal convolutions keeps its windows in float32."""
    name, options, clip = CASES[case]
    model = vidjax.create_model(name, num_classes=3, dtype=jnp.bfloat16, **options)
    rngs = {"noise": jax.random.key(0), "dropout": jax.random.key(1)}

    def kept(params, stats, x):
        def forward(params):
            variables = {"params": params, "batch_stats": stats}
            mutable = ["batch_stats"]
            return model.apply(variables, x, train=True, mutable=mutable, rngs=rngs)[0]

        return jax.vjp(forward, params)[1]

    state = traced(case)[1]
    with force_lowering("lax"):
        x = jax.ShapeDtypeStruct((2, *clip, 3), jnp.float32)
        pull = jax.eval_shape(kept, state.params, state.batch_stats, x)
    features = [leaf for leaf in jax.tree.leaves(pull) if leaf.ndim == 5 and leaf.shape[0] == 2]
    # The zeros of activations are kept as booleans.
    assert types_of(features) == {HALF, jnp.dtype(bool)}
