"""Tests the channels that Class Regularization amplifies against its equation in NumPy."""

import functools

import jax
import numpy as np
import pytest

import vidjax
from tests.explain.numpy_reference import normal
from tests.quickly import quickly
from vidjax.explain.amplified_channels import amplified, amplified_cell
from vidjax.explain.strip_figure import draw_strips
from vidjax.methods.class_regularization import FACTORS, ClassRegularization

CLIP = normal(2, 1, 4, 16, 16, 3)
PLACES = ("layer1/after_stage", "layer2/after_stage")


def regularized(**options):
    given = {"num_classes": 3, "width": 4, "depths": (1, 1, 0, 0), **options}
    model = vidjax.create_model("r3d_18", **given)
    return model, quickly(functools.partial(model.init, train=False))(jax.random.key(1), CLIP)


@pytest.fixture(scope="module")
def network():
    return regularized(class_reg={"affection": (0.9, 0.5), "stages": (1, 2)})


def rows_at(variables, place):
    """Returns the classes' rows, mapped to the channels of a location (thesis, algorithm 1)."""
    own = variables["params"]
    classifier = np.asarray(own["head"]["kernel"])
    for part in place.split("/"):
        own = own[part]
    return np.maximum(classifier.T @ np.asarray(own["class_reg"]["kernel"]), 0)


def factors_of(row, affection):
    share = (row - row.min()) / np.ptp(row)
    return affection + 2 * (1 - affection) * share


def test_each_location_uses_the_factors_of_its_class(network):
    model, variables = network
    found = amplified(model, variables, CLIP)
    assert tuple(own.place for own in found) == PLACES
    for own, affection in zip(found, (0.9, 0.5), strict=True):
        rows = rows_at(variables, own.place)
        scores = rows @ own.maps.mean((1, 2, 3))
        assert own.class_index == scores.argmax()
        np.testing.assert_allclose(own.factors, factors_of(rows[own.class_index], affection), 1e-4)


@pytest.mark.parametrize("index", range(3))
def test_factors_depend_on_the_class(network, index):
    model, variables = network
    for own, affection in zip(amplified(model, variables, CLIP, index), (0.9, 0.5), strict=True):
        wanted = factors_of(rows_at(variables, own.place)[index], affection)
        np.testing.assert_allclose(own.factors, wanted, rtol=1e-4)
        largest = sorted(wanted.tolist(), reverse=True)[:3]
        assert own.factors[own.strongest(3)].tolist() == pytest.approx(largest)


def test_the_plot_has_a_line_per_place_starting_with_the_last(network):
    found = amplified(*network, CLIP, 1)
    frames = np.random.default_rng(0).integers(0, 255, (4, 16, 16, 3), np.uint8)
    cell = amplified_cell(found, frames, "sit", ("walk", "sit", "jump"), each=2)
    assert [[strip.name for strip in line] for line in cell.lines] == [
        ["layer2 · sit"] * 2,
        ["layer1 · sit"] * 2,
    ]
    first = cell.lines[0][0]
    channel = int(found[1].factors.argmax())
    assert first.said.startswith(f"channel {channel} · ×{found[1].factors.max():.2f} · ")
    np.testing.assert_allclose(first.volume, found[1].tube(channel, (4, 16, 16)), atol=1e-6)
    figure = draw_strips([[cell]], ["r3d_18"], ["a.mp4"], "")
    assert len(figure.axes[0].images) == 3 * (1 + 4)


def test_a_network_without_class_regularization_is_refused():
    with pytest.raises(ValueError, match="the network has no Class Regularization"):
        amplified(*regularized(), CLIP)


@pytest.mark.parametrize("read", [[], ["intermediates"]])
def test_reporting_factors_does_not_change_training(network, read, monkeypatch):
    model, variables = network

    def lowered():
        def loss(params):
            given = {**variables, "params": params}
            mutable = ["batch_stats", *read]
            logits, state = model.apply(given, CLIP, train=True, mutable=mutable)
            chosen = state.get("intermediates", {}).get("layer1", {}).get("after_stage", {})
            return logits.sum(), (state["batch_stats"], chosen.get("class_index"))

        step = jax.value_and_grad(loss, has_aux=True)
        return jax.jit(step).lower(variables["params"]).as_text()

    with_factors, sow = lowered(), ClassRegularization.sow

    def silent(self, collection, name, value, **settings):
        return name == FACTORS or sow(self, collection, name, value, **settings)

    monkeypatch.setattr(ClassRegularization, "sow", silent)
    assert lowered() == with_factors
