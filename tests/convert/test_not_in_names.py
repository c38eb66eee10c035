"""Tests how networks with the same tensors are distinguished, and what users must state."""

import jax
import numpy as np
import pytest
from absl import logging

import vidjax
from tests import references
from tests.convert.test_loading import WIDTH, gated_state, small_state
from vidjax.convert.loading import convert, load_torch

COLOURS = (0.45, 0.42, 0.39), (0.1, 0.2, 0.3)


@pytest.fixture
def said(monkeypatch):
    """Returns the logged warnings."""
    lines = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: lines.append(text % values))
    return lines


def zeros(shared, reference, without="\0"):
    """Makes a state dict of zeros with the names and shapes of a key list."""
    keys = references.key_list(shared, reference)
    empty = {key: np.broadcast_to(np.float32(0), shape) for key, shape in keys.items()}
    return {key.replace(without, ""): value for key, value in empty.items()}


@pytest.mark.parametrize(
    ("reference", "without"), [("mm-tsn-50", "\0"), ("tsm-50", ".net")], ids=["mm", "mit"]
)
def test_a_tsn_is_refused_as_tsm_although_its_tensors_fit(reference, without, shared):
    state = zeros(shared, reference, without)
    with pytest.raises(ValueError, match="not a file of tsm_50, but of a TSN.*Load it as tsn_50"):
        convert("tsm_50", state)
    found = convert("tsn_50", state)
    assert (found.report.missing, found.report.unused) == ((), ())


@pytest.mark.parametrize("reference", ["mm-tsm-50", "tsm-50"])
def test_a_tsm_is_refused_as_tsn_although_its_tensors_fit(reference, shared):
    with pytest.raises(ValueError, match="not a file of tsn_50, but of a TSM.*Load it as tsm_50"):
        convert("tsn_50", zeros(shared, reference))


def test_a_warning_asks_for_temporal_pooling_which_no_file_states(shared, said):
    state = zeros(shared, "tam-50-ibm")
    assert convert("tam_ibm_50", state).options == {}
    (line,) = said
    assert "no file of IBM action-recognition-pytorch states temporal_pooling" in line
    assert "pass temporal_pooling=False" in line
    found = convert("tam_ibm_50", state, temporal_pooling=False)
    assert found.options == {"temporal_pooling": False}
    assert len(said) == 1


@pytest.mark.parametrize("pooled", [True, False])
def test_frames_are_halved_three_times_only_with_temporal_pooling(pooled):
    model = vidjax.create_model("tam_ibm_50", num_classes=3, temporal_pooling=pooled, **WIDTH)
    clip = jax.ShapeDtypeStruct((1, 16, 32, 32, 3), np.float32)

    def sown(x):
        variables = model.init(jax.random.key(0), x, train=False)
        return model.apply(variables, x, train=False, mutable=["intermediates"])[1]

    stages = jax.eval_shape(sown, clip)["intermediates"]
    frames = [stages[f"stage{number}"][0].shape[1] for number in range(1, 5)]
    # A stage is sown before the pool that follows it.
    assert frames == ([16, 8, 4, 2] if pooled else [16, 16, 16, 16])


@pytest.mark.slow
def test_slowfast_101_of_mmaction2_has_longer_connections(shared, said):
    keys = references.key_list(shared, "mm-slowfast-50-8x8")
    for path in ("slow", "fast"):
        stage = f"backbone.{path}_path.layer3."
        keys |= {
            f"{stage}{index}.{key.removeprefix(f'{stage}1.')}": shape
            for index in range(2, 23)
            for key, shape in keys.items()
            if key.startswith(f"{stage}1.")
        }
    state = {key: np.broadcast_to(np.float32(0), shape) for key, shape in keys.items()}
    found = convert("slowfast_101", state)
    assert found.options == {"variant": "mmaction2", "lateral_kernel": 7}
    assert (found.report.missing, found.report.unused) == ((), ())
    # As MMAction2 prints them for this network.
    assert sum(leaf.size for leaf in jax.tree.leaves(found.variables["params"])) == 62_912_312
    assert said == []


def test_a_warning_names_differing_normalisations_unless_the_user_states_one(said):
    """Hara's files of 2018 and of 2020 have the same names for 50 and more layers."""
    state = small_state()
    newer = convert("r3d_18", state, **WIDTH)
    assert (newer.mean, newer.std) == ((0.4345, 0.4051, 0.3775), (0.2768, 0.2713, 0.2737))
    without = {key: value for key, value in state.items() if "downsample" not in key}
    older = convert("r3d_18", without, **WIDTH)
    np.testing.assert_allclose(np.multiply(older.mean, 255), (114.7748, 107.7354, 99.475))
    np.testing.assert_allclose(older.std, (1 / 255,) * 3)
    assert said == []


def test_files_of_two_years_cannot_be_distinguished(shared, said):
    state = zeros(shared, "r3d-50")
    found = convert("r3d_50", state)
    (line,) = said
    assert "files of 3D-ResNets-PyTorch for r3d_50 differ in their input normalisation" in line
    assert "mean (0.4501, 0.4225, 0.3901), std (0.003922, 0.003922, 0.003922)" in line
    again = convert("r3d_50", state, mean=found.mean, std=found.std)
    assert (again.mean, again.std) == (found.mean, found.std)
    assert len(said) == 1


def test_the_stated_normalisation_is_used(said):
    mean, std = COLOURS
    found = load_torch("srtg_r3d_34", gated_state(), num_classes=6, mean=mean, std=std, **WIDTH)
    assert (found.mean, found.std) == COLOURS
    (line,) = said
    assert (
        "files of SRTG R3D, ir-CSN for srtg_r3d_34 differ in their input normalisation: RGB, mean"
        in line
    )
    assert "BGR" in line


def test_kernels_of_bgr_files_are_reversed(said):
    state = gated_state()
    plain = load_torch("srtg_r3d_34", state, num_classes=6, channels="RGB", **WIDTH)
    turned = load_torch("srtg_r3d_34", state, num_classes=6, channels="BGR", **WIDTH)
    one, other = (each["params"]["stem_layer"]["conv"]["kernel"] for each in (plain, turned))
    np.testing.assert_array_equal(one[..., ::-1, :], other)
    assert not np.array_equal(one, other)
    # As published: 124 is subtracted from blue, and 104 from red.
    np.testing.assert_allclose(np.multiply(turned.mean, 255), (104, 117, 124))
    np.testing.assert_allclose(np.multiply(plain.mean, 255), (124, 117, 104))
    assert said == []
    with pytest.raises(ValueError, match="channels = 'GBR': one of RGB, BGR"):
        load_torch("srtg_r3d_34", state, channels="GBR", **WIDTH)
