import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import vidjax
from vidjax.models.registry import guesses, readings
from vidjax.run.config import ConfigError
from vidjax.run.freezing import frozen, train_part
from vidjax.run.setting_groups import MeshConfig
from vidjax.run.sharding import make_mesh
from vidjax.run.state import init_state
from vidjax.training.step import Step

PART = "class_reg"
TREE = {
    "head": {"kernel": jnp.ones((3, 2)), "bias": jnp.ones(2)},
    "layer1": {"after_stage": {"class_reg": {"kernel": jnp.ones((3, 4))}}},
}


@pytest.fixture(scope="module")
def step_of_a_part():
    """Returns a state before and after two steps that train only the mapping `class_reg`."""
    model = vidjax.create_model(
        "r3d_18", num_classes=3, width=4, depths=(1, 0, 0, 1), class_reg={}, dropout=0.5
    )
    optimizer = train_part(
        optax.chain(optax.add_decayed_weights(0.1), optax.sgd(0.5, momentum=0.9)), PART
    )
    mesh = make_mesh(MeshConfig(-1, 1))
    state, _ = init_state(model, optimizer, (1, 2, 16, 16, 3), seed=0, ema=True, mesh=mesh)
    rng = np.random.default_rng(0)
    batch = {
        "clip": rng.integers(0, 255, (4, 2, 16, 16, 3), dtype=np.uint8),
        "label": np.array([0, 1, 2, 0], np.int32),
        "mask": np.ones(4, bool),
    }
    options = {"class_reg": {}}
    fields = {"ema": 0.9, "train_only": PART, "reading": readings("r3d_18", options)}
    fields |= {"guesses": guesses("r3d_18", options)}
    step = jax.jit(Step(model, optimizer, (0.5,) * 3, (0.5,) * 3, **fields))
    once, metrics = step(state, batch)
    twice, _ = step(once, batch)
    return model, state, twice, metrics, batch


def changed(before, after):
    """Returns the paths of the changed arrays."""
    leaves = zip(jax.tree_util.tree_leaves_with_path(before), jax.tree.leaves(after), strict=True)
    return {
        "/".join(str(part.key) for part in path)
        for (path, old), new in leaves
        if not np.array_equal(old, new)
    }


def test_only_the_trained_part_changes_including_statistics(step_of_a_part):
    _, before, after, _, _ = step_of_a_part
    expected = {f"layer{n}/after_stage/class_reg/kernel" for n in (1, 4)}
    assert changed(before.params, after.params) == expected
    assert changed(before.ema, after.ema) == expected
    assert not changed(before.batch_stats, after.batch_stats)


def test_the_frozen_network_runs_as_in_evaluation(step_of_a_part):
    model, before, _, metrics, batch = step_of_a_part
    x = (batch["clip"] / np.float32(255) - 0.5) / 0.5
    logits = model.apply(
        {"params": before.params, "batch_stats": before.batch_stats}, x, train=False
    )
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch["label"])
    np.testing.assert_allclose(metrics["loss"], losses.mean(), rtol=1e-5)


def test_momentum_is_kept_only_for_the_trained_part(step_of_a_part):
    _, before, _, _, _ = step_of_a_part
    sizes = sum(leaf.size for leaf in jax.tree.leaves(before.opt_state) if leaf.ndim)
    part = sum(before.params[f"layer{n}"]["after_stage"][PART]["kernel"].size for n in (1, 4))
    assert sizes == part


def test_readings_of_methods_are_among_the_metrics(step_of_a_part):
    model, before, _, metrics, batch = step_of_a_part
    x = (batch["clip"] / np.float32(255) - 0.5) / 0.5
    variables = {"params": before.params, "batch_stats": before.batch_stats}
    logits, sown = model.apply(variables, x, train=False, mutable=["intermediates"])
    for n in (1, 4):
        chosen = sown["intermediates"][f"layer{n}"]["after_stage"]["class_index"][0]
        expected = np.mean(np.asarray(chosen) == np.argmax(logits, axis=-1))
        np.testing.assert_allclose(metrics[f"agreement/layer{n}"], expected)
        right = np.mean(np.asarray(chosen) == batch["label"])
        np.testing.assert_allclose(metrics[f"right/layer{n}"], right)


def test_a_part_may_be_any_name_in_a_path():
    assert frozen(TREE, "head") == {
        "head": {"kernel": False, "bias": False},
        "layer1": {"after_stage": {"class_reg": {"kernel": True}}},
    }
    assert frozen(TREE, "kernel")["head"] == {"kernel": False, "bias": True}


def test_an_unknown_part_is_refused_with_the_nearest():
    with pytest.raises(
        ConfigError, match="train_only = 'class_rag' is in no parameter's path .*: did you"
    ):
        frozen(TREE, "class_rag")
