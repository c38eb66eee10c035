"""Tests that our networks have the names, costs and logits of the published PyTorch networks."""

import re

import jax
import numpy as np
import pytest

import vidjax
from tests import references
from tests.conftest import shared_folder
from tests.convert import parity
from vidjax.convert.loading import convert
from vidjax.evaluation.cost import count_cost

KEY_LISTS = references.key_lists(shared_folder())
# These take longest to compile, and other files are of similar networks.
LONG = (
    "assemblenet-50",
    "cgd-image-r50",
    "costb-50",
    "evanet-rgb1",
    "i3d-r50-caffe2",
    "i3d-r50-cgnl5",
    "ip-csn-101",
    "mm-slowonly-50",
    "mm-tsm-50",
    "mm-tsn-50",
    "r2plus1d-34-torchvision",
    "r3d-50",
    "resnet-110-cifar",
    "resnext3d-101",
    "s3d",
    "slowonly-34-single",
    "tanet-50",
    # Their blocks are the same as those of other networks that are compared here.
    "slowonly-50",
    "srtg-r2plus1d_50",
)
GOLDEN = [
    pytest.param(name, marks=pytest.mark.slow if name in LONG else ())
    for name in references.goldens(shared_folder())
]


# Deeper networks of the same blocks; other files of their projects have the same names.
DEEPER = re.compile(r"-(101|152|200|l|xl)(-|$)")
LAID = [
    pytest.param(name, marks=pytest.mark.slow if DEEPER.search(name) else ()) for name in KEY_LISTS
]
# The same network as `s3d`, and the baseline of `cost_50`.
UNCOUNTED = ("s3d-kylemin", "cost-c2d-50")


def network(reference, num_classes):
    name, options = references.NETWORKS[reference]
    return vidjax.create_model(name, num_classes=num_classes, **options)


def test_parity_table_knows_every_key_list(shared):
    assert sorted(references.NETWORKS) == sorted(KEY_LISTS)
    published = {name for name, _ in references.NETWORKS.values()}
    # For gates and MTNets only counts and blocks are known: `tests/models`.
    ours = {*vidjax.list_models("srtg_*"), *vidjax.list_models("mtnet_*")}
    assert published == set(vidjax.list_models()) - ours


@pytest.mark.parametrize("reference", LAID)
def test_parity_of_layouts(reference, shared):
    """Every published key is mapped to a path, and the network's variant is recognised."""
    keys = references.key_list(shared, reference)
    empty = {key: np.broadcast_to(np.float32(0), shape) for key, shape in keys.items()}
    name, options = references.NETWORKS[reference]
    converted = convert(name, empty)
    assert converted.options == options
    assert (converted.report.missing, converted.report.unused) == ((), ())
    kept = [key for key in keys if not key.endswith("num_batches_tracked")]
    assert len(converted.report.loaded) + len(converted.report.reshaped) == len(kept)
    assert len(jax.tree.leaves(converted.variables)) == len(kept)


@pytest.mark.parametrize("reference", [own for own in KEY_LISTS if own not in UNCOUNTED])
def test_parity_of_costs(reference, shared):
    """Parameters are equal, multiply-adds agree within 0.5 %."""
    num_classes = references.classes(references.key_list(shared, reference))
    params, gflops, clip = references.counts(shared, reference, num_classes)
    name, options = references.NETWORKS[reference]
    cost = vidjax.model_card(name)
    # The numbers on the cards are tested in `tests/test_models.py`.
    if (options, num_classes, clip) != ({}, 400, cost.clip):
        cost = count_cost(network(reference, num_classes), clip)
    assert cost.params == params
    # The counts were rounded to 0.001.
    assert cost.macs / 1e9 == pytest.approx(gflops, rel=5e-3, abs=5e-4)


@pytest.mark.parametrize("reference", GOLDEN)
def test_golden_logits(reference, shared):
    """Compares logits of weights and clips that are generated from a rule."""
    assert parity.difference(shared, reference) <= 1e-4
