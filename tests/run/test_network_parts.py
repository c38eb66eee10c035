"""Tests learning rates by part, frozen parts and frozen batch norms in steps of a real network."""

import jax
import numpy as np
import optax
import pytest
from flax.traverse_util import flatten_dict

from configs import synthetic
from vidjax.run.config import ConfigError, from_mapping
from vidjax.run.network import Network
from vidjax.run.network_parts import innermost
from vidjax.training.compile_step import lower_step

RATE = 0.5
CLIP = (2, 16, 16, 3)
GREY = {"model__mean": (0.5,) * 3, "model__std": (0.5,) * 3}


def network(**settings):
    """Makes a tiny network with dropout; settings are given like `train__frozen`."""
    raw = synthetic.get_config()
    raw.model.options = {"width": 4, "depths": (1, 1, 0, 1), "stem_kernel": (1, 3, 3)}
    raw.model.options.update(settings.pop("options", {"dropout": 0.5}))
    raw.clip.update({"frames": 2, "stride": 1, "size": 16})
    raw.eval.size = 16
    raw.train.update({"batch_size": 8, "ema": 0.9})
    raw.optimizer.update({"momentum": 0.0, "weight_decay": 0.0})
    for path, value in settings.items():
        group, name = path.split("__")
        raw[group][name] = value
    made = Network.of(from_mapping(raw), ("a", "b", "c"))
    made.check_training()
    return made


def batch():
    rng = np.random.default_rng(0)
    return {
        "clip": rng.integers(0, 255, (8, *CLIP), dtype=np.uint8),
        "label": np.arange(8, dtype=np.int32) % 3,
        "mask": np.ones(8, bool),
    }


def stepped(made, steps=1):
    """Returns the states before and after some steps as arrays, and the last metrics."""
    optimizer = made.optimizer(optax.constant_schedule(RATE))
    before, shardings = made.init(optimizer)
    kept = jax.tree.map(np.asarray, before)
    after, step = before, lower_step(made, optimizer, before, shardings).compile()
    for _ in range(steps):
        after, metrics = step(after, batch())
    return kept, jax.tree.map(np.asarray, after), metrics


def moves(made):
    before, after, _ = stepped(made)
    return flatten_dict(jax.tree.map(np.subtract, after.params, before.params), sep="/")


@pytest.fixture(scope="module")
def plain():
    """Returns the updates of a step of plain SGD without dropout."""
    return moves(network(options={}))


def test_each_part_moves_by_its_factor_times_the_plain_step(plain):
    factors = {"head": 10, "stem": 0.5, "layer2": 4, "norm1": 0.25}
    found = moves(network(options={}, optimizer__lr_factors=factors, optimizer__layer_decay=0.5))
    depth = {"stem_layer": 0, "layer1": 1, "layer2": 2, "layer4": 4, "head": 5}
    own = {"stem_layer": 0.5, "layer2": 4, "head": 10}
    assert plain.keys() == found.keys()
    for path, move in plain.items():
        names = path.split("/")
        factor = 0.25 if "norm1" in names else own.get(names[0], 1)
        expected = factor * 0.5 ** (5 - depth[names[0]])
        np.testing.assert_allclose(found[path], expected * move, rtol=1e-3, atol=2e-7)
        assert np.any(move), path


def test_the_decay_of_weights_follows_the_rate_of_its_part():
    """As with parameter groups, the decay of SGD and of AdamW is scaled by the learning rate."""
    for name in ("sgd", "adamw"):
        settings = {"optimizer__name": name, "optimizer__weight_decay": 0.1}
        made = network(**settings, optimizer__lr_factors={"head": 3.0})
        optimizer = made.optimizer(optax.constant_schedule(RATE))
        alone = network(**settings).optimizer(optax.constant_schedule(RATE))
        like = made.state_like(optimizer).params
        params = jax.tree.map(lambda leaf: np.full(leaf.shape, 0.5, np.float32), like)
        ours, theirs = (
            jax.jit(lambda params, each=each: each.update(params, each.init(params), params)[0])(
                params
            )
            for each in (optimizer, alone)
        )
        np.testing.assert_allclose(ours["head"]["kernel"], 3 * theirs["head"]["kernel"], rtol=1e-6)
        np.testing.assert_array_equal(
            ours["layer1"]["block1"]["conv1"]["kernel"],
            theirs["layer1"]["block1"]["conv1"]["kernel"],
        )


FROZEN = {"train__frozen": ("stem", "layer1", "norm1")}
MOMENTUM = {"optimizer__momentum": 0.9, "optimizer__weight_decay": 0.1}


def is_frozen(path):
    names = path.split("/")
    return names[0] in ("stem_layer", "layer1") or "norm1" in names


@pytest.fixture(scope="module")
def with_frozen_parts():
    return stepped(network(**FROZEN, **MOMENTUM), steps=2)


def changed(before, after):
    before, after = flatten_dict(before, sep="/"), flatten_dict(after, sep="/")
    return {path for path, old in before.items() if not np.array_equal(old, after[path])}


def test_frozen_parts_keep_their_arrays_and_all_others_change(with_frozen_parts):
    before, after, _ = with_frozen_parts
    for name in ("params", "ema", "batch_stats"):
        old, new = getattr(before, name), getattr(after, name)
        paths = flatten_dict(old, sep="/")
        assert changed(old, new) == {path for path in paths if not is_frozen(path)}, name


def test_no_momentum_is_kept_for_frozen_parts(with_frozen_parts):
    before, _, _ = with_frozen_parts
    sizes = sum(leaf.size for leaf in jax.tree.leaves(before.opt_state) if leaf.ndim)
    flat = flatten_dict(before.params, sep="/")
    assert sizes == sum(leaf.size for path, leaf in flat.items() if not is_frozen(path))


def loss(model, params, stats):
    """Computes the loss of a network in evaluation."""
    x = (batch()["clip"] / np.float32(255) - 0.5) / 0.5
    logits = model.apply({"params": params, "batch_stats": stats}, x)
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch()["label"]).mean()


def test_the_head_alone_learns_as_on_a_network_in_evaluation():
    names = ("stem", "layer1", "layer2", "layer4")
    made = network(options={}, train__frozen=names, train__ema=0.0, **GREY)
    before, after, metrics = stepped(made)
    value, grads = jax.jit(
        jax.value_and_grad(lambda params: loss(made.module, params, before.batch_stats))
    )(before.params)
    np.testing.assert_allclose(metrics["loss"], value, rtol=1e-5)
    expected = before.params["head"]["kernel"] - RATE * grads["head"]["kernel"]
    np.testing.assert_allclose(after.params["head"]["kernel"], expected, rtol=1e-4, atol=1e-6)
    assert not changed(before.batch_stats, after.batch_stats)


def test_frozen_batch_norms_keep_their_statistics_and_train_scale_and_bias():
    made = network(options={}, train__frozen_batch_norm=True, train__ema=0.0, **GREY)
    before, after, metrics = stepped(made)
    assert not changed(before.batch_stats, after.batch_stats)
    assert changed(before.params, after.params) == set(flatten_dict(before.params, sep="/"))
    value = jax.jit(lambda params: loss(made.module, params, before.batch_stats))(before.params)
    np.testing.assert_allclose(metrics["loss"], value, rtol=1e-5)


def test_the_backward_pass_of_frozen_first_stages_is_not_in_the_program():
    def flops(**settings):
        made = network(options={}, train__ema=0.0, **settings)
        optimizer = made.optimizer(optax.constant_schedule(RATE))
        like = made.state_like(optimizer)
        shardings = jax.tree.map(lambda leaf: leaf.sharding, like)
        return lower_step(made, optimizer, like, shardings).cost_analysis()["flops"]

    # A backward pass costs as much as two forward passes.
    alone = flops(train__frozen=("stem", "layer1", "layer2", "layer4"))
    assert alone < 0.45 * flops()
    assert alone == flops(train__train_only="head")


@pytest.mark.slow
def test_freezing_works_with_remat_and_scan():
    options = {"depths": (1, 8, 0, 1), "dropout": 0.5}
    frozen = {"train__frozen": ("stem", "layer1", "layer2"), "train__ema": 0.0}
    for more in ({"remat": (1, 2)}, {"scan": True}):
        before, after, _ = stepped(network(options={**options, **more}, **frozen))
        for name in ("params", "batch_stats"):
            moved = changed(getattr(before, name), getattr(after, name))
            assert {path.split("/")[0] for path in moved} == {"layer4"} | (
                {"head"} if name == "params" else set()
            )


def test_the_innermost_and_then_the_longest_part_counts():
    path = ["layer1_conv1", "conv", "kernel"]
    assert innermost(path, ["layer1", "conv"]) == "conv"
    assert innermost(path, ["layer1", "layer1_conv1"]) == "layer1_conv1"
    assert innermost(path, ["layer", "conv1", "layer1_conv"]) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train__frozen": ("stam",)}, "train.frozen has 'stam', .*: did you mean 'stem'"),
        (
            {"train__frozen": ("layer1",), "train__train_only": "head"},
            "train.frozen = .* no effect",
        ),
        ({"train__frozen": ("stem", "layer1", "layer2", "layer4", "head")}, "leaves no parameter"),
        (
            {"train__frozen_batch_norm": True, "train__train_only": "head"},
            "frozen_batch_norm = True has no effect, because train.train_only",
        ),
        (
            {"train__frozen_batch_norm": True, "train__batch_norm": "per_device"},
            "train.batch_norm = 'per_device' has no effect",
        ),
        ({"optimizer__lr_factors": {"haed": 2}}, "lr_factors has 'haed', .*: did you mean 'head'"),
        ({"optimizer__lr_factors": {"head": 0}}, r"lr_factors = .*: must be .*\(0, 1000000\]"),
        (
            {"optimizer__lr_factors": {"stem": 2}, "train__frozen": ("stem",)},
            "lr_factors has 'stem', which has no effect",
        ),
        (
            {"optimizer__layer_decay": 0.5, "train__train_only": "head"},
            "layer_decay = 0.5 has no effect",
        ),
        ({"optimizer__layer_decay": 0.0}, r"layer_decay = 0.0: must be a number in \(0, 1\]"),
        ({"train__frozen": ("block1",), "options": {"scan": True}}, "model.options.scan"),
    ],
)
def test_unknown_or_ineffective_parts_are_refused_in_one_line(settings, message):
    with pytest.raises(ConfigError, match=message) as error:
        network(**settings)
    assert "\n" not in str(error.value)


def test_partial_batch_norm_keeps_all_statistics_but_the_first():
    made = network(options={}, train__partial_batch_norm=True, train__ema=0.0, **GREY)
    before, after, _ = stepped(made)
    (norm,) = {path.rpartition("/")[0] for path in changed(before.batch_stats, after.batch_stats)}
    assert norm.startswith("stem")
    assert changed(before.params, after.params) == set(flatten_dict(before.params, sep="/"))
