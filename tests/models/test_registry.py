import json
import subprocess
import sys

import chex
import jax
import jax.numpy as jnp
import pytest

import vidjax
from vidjax.evaluation.cost import count_cost

# Names of the counts that were made with other projects' code.
PARITY = {
    "r3d_34_e1": "srtg-r3d_34",
    "r3d_50_e1": "srtg-r3d_50",
    "r3d_101_e1": "srtg-r3d_101",
    "wide_r3d_50_e1": "srtg-wide_r3d50_2",
}
STAGES = ["pre_logits", "stage1", "stage2", "stage3", "stage4", "stem"]


def shapes(model, clip):
    def run(x):
        variables = model.init(jax.random.key(0), x, train=False)
        return variables, model.apply(variables, x, train=False, mutable=["intermediates"])

    return jax.eval_shape(run, jax.ShapeDtypeStruct((2, *clip, 3), jnp.float32))


@pytest.mark.parametrize("name", vidjax.list_models())
def test_every_network_maps_clips_to_logits(name):
    model = vidjax.create_model(name, num_classes=7, dtype=jnp.bfloat16)
    variables, (logits, state) = shapes(model, (8, 32, 40))
    chex.assert_shape(logits, (2, 7))
    assert logits.dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert sorted(state["intermediates"]) == STAGES
    assert state["intermediates"]["stage2"][0].dtype == jnp.bfloat16


@pytest.mark.parametrize("name", vidjax.list_models())
def test_every_card_states_what_the_network_costs(name):
    card = vidjax.model_card(name)
    cost = count_cost(vidjax.create_model(name), card.clip)
    assert card.name == name
    assert (cost.params, cost.macs) == (card.params, card.macs)
    assert all(0 < value < 1 for value in (*card.mean, *card.std))


@pytest.mark.parametrize("name", vidjax.list_models())
def test_parity_of_counts_with_the_published_networks(name, shared):
    counts = json.loads((shared / "spec/zoo-counts.json").read_text())
    entry = counts[PARITY.get(name, name.replace("_", "-"))]
    cost = count_cost(vidjax.create_model(name), tuple(entry["input"]))
    assert cost.params == entry["params_400"]
    assert cost.macs == pytest.approx(1e9 * entry["gflops"], rel=5e-3)


def test_names_are_sorted_and_match_patterns():
    names = vidjax.list_models()
    assert names == sorted(names)
    assert vidjax.list_models("r3d_*_e1") == ["r3d_101_e1", "r3d_34_e1", "r3d_50_e1"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("r3d_5O", {}, "model 'r3d_5O' is unknown: did you mean 'r3d_50'"),
        ("r3d_18", {"widht": 8}, "no option 'widht': did you mean 'width'"),
        ("r3d_18", {"num_classes": 0}, "num_classes = 0"),
        ("r3d_18", {"dtype": "int32"}, "dtype = 'int32'"),
    ],
)
def test_what_is_unknown_is_named_with_the_nearest(name, options, message):
    with pytest.raises(ValueError, match=message):
        vidjax.create_model(name, **options)


@pytest.mark.parametrize("shape", [(4, 16, 16, 3), (1, 4, 16, 16, 4)])
def test_a_wrong_clip_is_named(shape):
    model = vidjax.create_model("r3d_18", num_classes=2, width=4)
    with pytest.raises(ValueError, match=r"\[B, T, H, W, 3\], not"):
        model.init(jax.random.key(0), jnp.zeros(shape), train=False)


def test_importing_the_networks_loads_no_data_libraries():
    code = (
        "import vidjax, vidjax.models, sys; vidjax.create_model('r3d_18')\n"
        "heavy = {'tensorflow', 'tensorflow_datasets', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
