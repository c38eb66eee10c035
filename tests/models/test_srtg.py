"""Tests SRTG in blocks and networks: golden blocks, placements and options."""

import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

import vidjax
from tests.methods import test_squeeze_recursion as recursion
from vidjax.layers.conv2plus1d import Conv2Plus1D
from vidjax.layers.lowering import force_lowering
from vidjax.methods.temporal_gates import TemporalGate
from vidjax.models.blocks import BasicBlock, Bottleneck, Factories
from vidjax.models.registry import readings
from vidjax.slots.block import Slots

RNG = np.random.default_rng(0)
ONES = (1, 1, 1, 1)
TINY = {"num_classes": 3, "width": 8, "depths": ONES}
CLIP = RNG.normal(size=(2, 8, 32, 32, 3)).astype(np.float32)
PLACES = ("start", "top", "mid", "end", "res", "final")
KERNEL = "squeeze_recursion/recurrence/layer1/recurrent_kernel"


def in_slot(placement="final", **settings):
    return Slots(gate=functools.partial(TemporalGate, **settings), placement=placement)


def shapes(model, x):
    """Returns the shapes of a module's variables by path."""
    with force_lowering("lax"):
        init = functools.partial(model.init, train=False)
        return flatten_dict(jax.eval_shape(init, jax.random.key(0), x), sep="/")


def drawn(model, x, gain=1.0):
    """Draws a network's variables as at initialisation; those of the cells are scaled by a gain."""
    rng, variables = np.random.default_rng(1), {}
    for name, leaf in shapes(model, x).items():
        value = np.full(leaf.shape, name.endswith(("scale", "var")), np.float32)
        if "recurrence" in name:
            bound = gain / np.sqrt(leaf.shape[-1] / 4)
            value = rng.uniform(-bound, bound, leaf.shape)
        elif name.endswith("kernel"):
            value = rng.normal(0, np.sqrt(2 / np.prod(leaf.shape[:-1])), leaf.shape)
        variables[name] = np.float32(value)
    return unflatten_dict(variables, sep="/")


def gates(model, x=CLIP):
    """Returns the paths of a module's gates, with the width of their cells."""
    found = shapes(model, x).items()
    ends = {name.removeprefix("params/"): leaf.shape for name, leaf in found if KERNEL in name}
    return {name.removesuffix(f"/{KERNEL}"): shape[0] for name, shape in ends.items()}


def parts(weights):
    """Maps the reference's modules to our names; (2+1)D convolutions contain two."""
    names = {"downsample/0": "shortcut/conv", "downsample/1": "shortcut/norm"}
    for n in (1, 2, 3):
        names |= {f"conv{n}/1": f"norm{n}", f"conv{n}/0": f"conv{n}", f"conv{n}/0/0": f"conv{n}"}
        if f"conv{n}/0/3/weight" in weights:
            inside = {"0/0": "space", "0/1": "norm", "0/3": "time"}
            names |= {f"conv{n}/{key}": f"conv{n}/{ours}" for key, ours in inside.items()}
    return names


def converted(weights):
    """Converts the reference's variables of a block to ours."""
    names, norms = parts(weights), {"running_mean": "mean", "running_var": "var"}
    variables, lstm = {}, {}
    for key, value in weights.items():
        part, kind = key.rsplit("/", 1)
        if part == "sar/lstm":
            lstm[kind] = value
        elif kind in norms:
            variables[f"batch_stats/{names[part]}/{norms[kind]}"] = value
        elif value.ndim == 5:
            variables[f"params/{names[part]}/kernel"] = value.transpose(2, 3, 4, 1, 0)
        else:
            ours = {"weight": "scale", "bias": "bias"}[kind]
            variables[f"params/{names[part]}/{ours}"] = value
    variables = unflatten_dict(variables, sep="/")
    variables["params"]["gate"] = {"squeeze_recursion": {"recurrence": recursion.cells(lstm)}}
    return variables


def golden_block(weights, x, out, **settings):
    """Makes the block that has these weights and these input and output shapes."""
    factories = Factories()
    if "conv2/0/3/weight" in weights:
        mid = len(weights["conv2/0/0/weight"])
        factories = Factories(conv=functools.partial(Conv2Plus1D, mid=mid))
    block = Bottleneck if "conv3/0/weight" in weights else BasicBlock
    strides = tuple(
        -(-size // left) for size, left in zip(x.shape[1:4], out.shape[1:4], strict=True)
    )
    width = len(weights["conv1/1/weight"])
    return block(
        out.shape[-1], strides=strides, width=width, factories=factories, slots=in_slot(**settings)
    )


def test_golden_blocks(shared):
    golden = {
        name: value.transpose(0, 2, 3, 4, 1)
        if name.endswith(("_x", "_pre", "ungated", "_gated"))
        else value
        for name, value in np.load(shared / "golden/srtg_block.npz").items()
    }
    cases = [name.removesuffix("_pre") for name in golden if name.endswith("_pre")]
    assert cases
    near = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
    for case in cases:
        x, pre = golden[f"{case}_x"], golden[f"{case}_pre"]
        start = f"{case}_w/"
        weights = {key.removeprefix(start): golden[key] for key in golden if start in key}
        variables = converted(weights)

        def both(variables, x, weights=weights, pre=pre):
            for gate in ("none", "hard"):
                block = golden_block(weights, x, pre, gate=gate)
                yield block.apply(
                    variables,
                    x,
                    train=False,
                    mutable=["intermediates"],
                    capture_intermediates=lambda _, method: method == "parts",
                )

        with jax.default_matmul_precision("highest"), force_lowering("lax"):
            run = recursion.quickly(lambda variables, x: tuple(both(variables, x)))
            (ungated, inside), (gated, state) = run(variables, x)
        near(ungated, golden[f"{case}_y_ungated"])
        near(gated, golden[f"{case}_y_gated"])
        gate = state["intermediates"]["gate"]
        np.testing.assert_array_equal(gate["gate_open"][0], golden[f"{case}_gate"])
        for sown in (inside["intermediates"]["gate"], gate):
            ((_, pooled, states),) = sown["squeeze_recursion"]["parts"]
            near(pooled, pre.mean((2, 3)))
            near(states, golden[f"{case}_h"].transpose(0, 2, 1))


@pytest.mark.parametrize(
    ("block", "placement"),
    [*((BasicBlock, place) for place in PLACES if place != "top")]
    + [(Bottleneck, place) for place in PLACES],
)
def test_cells_are_as_wide_as_the_features_at_their_placement(block, placement):
    inside = None if block is BasicBlock else 4
    module = block(12, strides=(2, 2, 2), width=inside, slots=in_slot(placement))
    width = {"start": 8, "top": 4, "mid": inside or 12}.get(placement, 12)
    assert gates(module, np.zeros((2, 4, 6, 6, 8))) == {"gate": width}


@pytest.mark.parametrize("placement", PLACES)
def test_networks_have_a_gate_in_each_block(placement):
    model = vidjax.create_model("r3d_50", srtg=placement, **(TINY | {"depths": (2, 1, 1, 1)}))
    inside, out = 8, 32
    first, later = {"start": (8, out), "top": (inside,) * 2, "mid": (inside,) * 2}.get(
        placement, (out, out)
    )
    growing = {"start": 32, "top": 16, "mid": 16}.get(placement, 64)
    expected = {"layer1/block1/gate": first, "layer1/block2/gate": later}
    expected |= {f"layer{n}/block1/gate": growing * 2 ** (n - 2) for n in (2, 3, 4)}
    assert gates(model) == expected


def test_gates_are_in_the_named_stages():
    settings = {"placement": "end", "stages": (2, 4), "cell": "gru", "layers": 1}
    model = vidjax.create_model("r3d_34_e1", srtg=settings, **TINY)
    assert gates(model) == {"layer2/block1/gate": 16, "layer4/block1/gate": 64}
    found = shapes(model, CLIP)
    assert found[f"params/layer2/block1/gate/{KERNEL}"].shape == (16, 3 * 16)
    assert not [name for name in found if "recurrence/layer2" in name]


@pytest.fixture(scope="module")
def empty_branch():
    """Returns features, cells and outputs of a block with an empty branch, by placement."""
    x = RNG.normal(size=(2, 3, 4, 4, 4)).astype(np.float32)
    cells = recursion.drawn("lstm", 2, 4)

    def run(x, cells):
        outputs = {}
        for placement in ("start", "mid", "end", "res", "final"):
            block = BasicBlock(4, zero_init=True, slots=in_slot(placement))
            variables = block.init(jax.random.key(0), x, train=False)
            gate = {"squeeze_recursion": {"recurrence": cells}}
            variables = {**variables, "params": {**variables["params"], "gate": gate}}
            outputs[placement] = block.apply(variables, x, train=False)
        return outputs

    with force_lowering("lax"):
        return x, cells, recursion.quickly(run)(x, cells)


@pytest.mark.parametrize("placement", ["start", "mid", "end", "res", "final"])
def test_a_gate_acts_on_identity_shortcuts_according_to_its_placement(empty_branch, placement):
    x, cells, outputs = empty_branch
    expected = {
        "start": np.maximum(recursion.account(x, cells)[0], 0),
        "mid": np.maximum(x, 0),
        "end": np.maximum(x, 0),
        "res": np.maximum(recursion.account(x, cells)[0], 0),
        "final": recursion.account(np.maximum(x, 0), cells)[0],
    }
    np.testing.assert_allclose(outputs[placement], expected[placement], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("kind", "depth"), [("r3d", 34), ("r2plus1d", 50)])
def test_srtg_networks_are_the_thesis_backbones_with_final_gates(kind, depth):
    named = shapes(vidjax.create_model(f"srtg_{kind}_{depth}", **TINY), CLIP)
    made = shapes(vidjax.create_model(f"{kind}_{depth}_e1", srtg="final", **TINY), CLIP)
    plain = shapes(vidjax.create_model(f"{kind}_{depth}_e1", **TINY), CLIP)
    chex.assert_trees_all_equal(named, made)
    chex.assert_trees_all_equal(plain, {name: named[name] for name in plain})
    widths = [leaf.shape[0] for name, leaf in named.items() if KERNEL in name]
    assert sorted(widths) == [8, 16, 32, 64]
    added = sum(leaf.size for name, leaf in named.items() if name not in plain)
    assert added == sum(16 * width**2 + 16 * width for width in widths)


@pytest.mark.parametrize("name", ["srtg_r3d_34", "srtg_r2plus1d_34", "srtg_r2plus1d_50"])
def test_without_the_stems_pool_no_gate_sees_one_frame(name):
    """The code had no pool until November 2020; with 16 frames its last stage has two, here one."""
    seen, weights = {}, []
    clip = jax.ShapeDtypeStruct((1, 16, 32, 32, 3), jnp.float32)
    for pooled in (True, False):
        model = vidjax.create_model(name, stem_pool=pooled, **TINY)
        weights.append(shapes(model, clip))

        def watch(call, args, kwargs, context, pooled=pooled):
            if isinstance(context.module, TemporalGate) and context.method_name == "__call__":
                seen.setdefault(pooled, []).append(args[0].shape[1])
            return call(*args, **kwargs)

        with nn.intercept_methods(watch):
            shapes(model, clip)
    assert seen == {True: [8, 4, 2, 1], False: [16, 8, 4, 2]}
    chex.assert_trees_all_equal(*weights)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"srtg": "top"}, "'top'"),
        ({"srtg": "middle"}, "'middle'.*start, top, mid, end, res, final"),
        ({"srtg": {"placement": "middle"}}, "'middle'"),
        ({"srtg": True}, "srtg = True"),
        ({"gate": "hard"}, "gate = 'hard'.*srtg"),
        ({"gate_warmup_steps": 5}, "gate_warmup_steps = 5.*srtg"),
        ({"srtg": "final", "gate": "soft"}, "gate = 'soft'.*none.*hard"),
        ({"srtg": "final", "gate": "hard", "gate_warmup_steps": -1}, "gate_warmup_steps = -1"),
        ({"srtg": {"temperature": 0}}, "temperature = 0"),
        ({"srtg": {"cell": "elman"}}, "cell = 'elman'"),
        ({"srtg": {"fuse": "concat"}}, "fuse = 'concat'"),
        ({"srtg": {"match": "hard"}}, "match = 'hard'"),
        ({"srtg": {"layers": 0}}, "layers = 0"),
        ({"srtg": {"stages": (5,)}}, "stage 5"),
        ({"srtg": {"celll": "gru"}}, "no setting 'celll': did you mean 'cell'"),
    ],
)
def test_invalid_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        shapes(vidjax.create_model("r3d_34_e1", **TINY, **options), CLIP)


@pytest.mark.parametrize("name", ["r3d_34_e1", "r2plus1d_50_e1"])
def test_gates_combine_with_scaling_and_class_regularization(name):
    options = {"srtg": "final", "gate": "hard", "gate_warmup_steps": 2}
    options |= {"random_scaling": {}, "class_reg": {}}
    model = vidjax.create_model(name, **TINY, **options)

    def run(x):
        variables = model.init(jax.random.key(0), x, train=False)
        mutable = ["batch_stats", "intermediates"]
        rngs = {"noise": jax.random.key(1), "dropout": jax.random.key(2)}
        logits, state = model.apply(variables, x, train=True, mutable=mutable, rngs=rngs)
        return logits, readings(name, options)(state["intermediates"], logits)

    with force_lowering("lax"):
        logits, read = jax.eval_shape(run, CLIP)
    assert logits.shape == (2, 3)
    kinds = {key.split("/")[0] for key in read}
    assert kinds == {"open", "matched", "state_size", "logits_deviation", "agreement", "same_guess"}
    assert {leaf.shape for leaf in read.values()} == {(2,)}


@pytest.fixture(scope="module")
def training():
    """Returns readings, statistics and gradients of three steps, the first during the warm-up."""
    settings = {"placement": "final", "stages": (1, 4), "layers": 1}
    options = {"srtg": settings, "gate": "hard", "gate_warmup_steps": 1}
    model = vidjax.create_model("r3d_34_e1", **TINY, **options)
    read = readings("r3d_34_e1", options)

    def loss(params, stats):
        variables = {"params": params, "batch_stats": stats}
        mutable = ["batch_stats", "intermediates"]
        logits, state = model.apply(variables, CLIP, train=True, mutable=mutable)
        seen = read(state["intermediates"], logits)
        return jnp.sum(logits * jnp.arange(6).reshape(2, 3)), (seen, state["batch_stats"])

    with force_lowering("lax"):
        variables = drawn(model, CLIP)
        step = recursion.quickly(jax.grad(loss, has_aux=True))
        stats, steps = variables["batch_stats"], []
        for _ in range(3):
            grads, (seen, stats) = step(variables["params"], stats)
            steps.append((seen, stats, grads))
    return steps


def test_readings_name_the_blocks(training):
    names = ["layer1_block1", "layer4_block1"]
    for seen, _, _ in training:
        kinds = ("open", "matched", "state_size")
        gates = {f"{kind}/{name}" for name in names for kind in kinds}
        assert set(seen) == gates | {"logits_deviation"}
        for name, leaf in seen.items():
            is_number = name.startswith(("state_size", "logits"))
            assert (leaf.shape, leaf.dtype) == ((2,), np.float32 if is_number else bool)
    assert readings("r3d_34_e1", {}) is None


def test_gates_are_open_during_the_warm_up_and_then_for_single_frames(training):
    # With eight frames, stage 1 has four and stage 4 has one.
    for count, (seen, stats, _) in enumerate(training, start=1):
        np.testing.assert_array_equal(seen["open/layer1_block1"], count == 1)
        np.testing.assert_array_equal(seen["matched/layer1_block1"], False)
        np.testing.assert_array_equal(seen["open/layer4_block1"], True)
        np.testing.assert_array_equal(seen["matched/layer4_block1"], True)
        assert count > 1 or stats["layer1"]["block1"]["gate"]["steps"] == 1


def test_only_cells_of_open_gates_are_trained(training):
    for count, (_, _, grads) in enumerate(training, start=1):
        for stage, is_open in ((1, count == 1), (4, True)):
            gate = grads[f"layer{stage}"]["block1"]["gate"]
            # With one frame nothing recurs, so not all parameters of the cells get gradients.
            assert any(leaf.any() for leaf in jax.tree.leaves(gate)) == is_open


SCANNED = {"num_classes": 3, "width": 4, "depths": (8, 1, 1, 1)}


def test_scanned_blocks_have_the_same_gates():
    settings = {"placement": "end", "layers": 1}
    plain, scanned = (
        vidjax.create_model("r3d_34_e1", srtg=settings, scan=scan, **SCANNED)
        for scan in (False, True)
    )
    clip = CLIP[:, :4]
    variables = drawn(plain, clip, gain=4.0)
    chex.assert_trees_all_equal(shapes(scanned, clip), shapes(plain, clip))

    def run(variables, x, model):
        return model.apply(variables, x, train=False)

    with force_lowering("lax"):
        run = recursion.quickly(run, static_argnames="model")
        expected, logits = (run(variables, clip, model) for model in (plain, scanned))
        variables["params"]["layer1"]["block5"]["gate"] = jax.tree.map(
            jnp.negative, variables["params"]["layer1"]["block5"]["gate"]
        )
        changed = run(variables, clip, scanned)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
    assert jnp.ptp(expected, axis=0).min() > 1e-2
    assert abs(changed - logits).max() > 1e-3


def test_scanned_blocks_have_the_same_warm_up_and_readings():
    options = {"srtg": "final", "gate": "hard", "gate_warmup_steps": 2}

    def run(x, scan):
        model = vidjax.create_model("r3d_34_e1", **SCANNED, **options, scan=scan)
        variables = model.init(jax.random.key(0), x, train=False)
        mutable = ["batch_stats", "intermediates"]
        logits, state = model.apply(variables, x, train=True, mutable=mutable)
        read = readings("r3d_34_e1", options)(state["intermediates"], logits)
        return state["batch_stats"], read

    with force_lowering("lax"):
        plain, scanned = (
            jax.eval_shape(functools.partial(run, scan=scan), CLIP) for scan in (False, True)
        )
    chex.assert_trees_all_equal(scanned, plain)
    assert len(plain[1]) == 3 * sum(SCANNED["depths"]) + 1
