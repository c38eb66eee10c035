"""Published PyTorch networks and ours: the same names, costs and logits."""

import json

import jax
import numpy as np
import pytest

import vidjax
from tests import references
from tests.conftest import shared_folder
from tests.convert import parity
from vidjax.convert.loading import convert
from vidjax.evaluation.cost import count_cost

KEY_LISTS = references.names(shared_folder() / "spec/torch-keys", ".json")
# To compile these takes longest, and other files are of networks like them.
LONG = (
    "ip-csn-101",
    "mm-slowonly-50",
    "mm-tsm-50",
    "r2plus1d-34-torchvision",
    "r3d-50",
    "resnet-110-cifar",
    "resnext3d-101",
    "slowonly-34-single",
    "tanet-50",
)
GOLDEN = [
    pytest.param(name, marks=pytest.mark.slow if name in LONG else ())
    for name in references.names(shared_folder() / "golden/zoo", ".npz")
]


def network(reference, num_classes):
    name, options = references.NETWORKS[reference]
    return vidjax.create_model(name, num_classes=num_classes, **options)


def test_parity_table_knows_every_key_list(shared):
    assert sorted(references.NETWORKS) == sorted(KEY_LISTS)
    published = {name for name, _ in references.NETWORKS.values()}
    # Of gates and MTNets there are only counts and blocks: `tests/models`.
    ours = {*vidjax.list_models("srtg_*"), *vidjax.list_models("mtnet_*")}
    assert published == set(vidjax.list_models()) - ours


@pytest.mark.parametrize("reference", KEY_LISTS)
def test_parity_of_layouts(reference, shared):
    """Every published key finds its place, and the form of the network is recognised."""
    keys = references.key_list(shared, reference)
    empty = {key: np.broadcast_to(np.float32(0), shape) for key, shape in keys.items()}
    name, options = references.NETWORKS[reference]
    converted = convert(name, empty)
    assert converted.options == options
    assert (converted.report.missing, converted.report.unused) == ((), ())
    kept = [key for key in keys if not key.endswith("num_batches_tracked")]
    assert len(converted.report.loaded) + len(converted.report.reshaped) == len(kept)
    assert len(jax.tree.leaves(converted.variables)) == len(kept)


@pytest.mark.parametrize("reference", KEY_LISTS)
def test_parity_of_costs(reference, shared):
    """Parameters to the last one, multiply-adds within 0.5 %."""
    entry = json.loads((shared / "spec/zoo-counts.json").read_text())[reference]
    keys = references.key_list(shared, reference)
    name, options = references.NETWORKS[reference]
    cost = vidjax.model_card(name)
    # What stands on the card is counted in `tests/test_models.py`.
    if (options, references.classes(keys), tuple(entry["input"])) != ({}, 400, cost.clip):
        cost = count_cost(network(reference, references.classes(keys)), tuple(entry["input"]))
    assert cost.params == entry["params_400"]
    # The counts were rounded to 0.001.
    assert cost.macs / 1e9 == pytest.approx(entry["gflops"], rel=5e-3, abs=5e-4)


@pytest.mark.parametrize("reference", GOLDEN)
def test_golden_logits(reference, shared):
    """Logits of weights and clips that anyone can make again."""
    assert parity.difference(shared, reference) <= 1e-4
