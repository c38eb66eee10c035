"""Tests the report of open gates against the gates' own test and handwritten logs."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vidjax
from tests.quickly import quickly
from vidjax.explain.gates import (
    GateLog,
    GateState,
    gate_scores,
    gates_of,
    read_log,
    states_of,
)
from vidjax.explain.gates_plot import draw_gates

SHAPE = {"num_classes": 3, "width": 4, "depths": (1, 1, 0, 0)}


def network(**options):
    return vidjax.create_model("r3d_34_e1", **SHAPE, **options)


@pytest.fixture(scope="module")
def trained():
    """Returns variables of a network that always fuses, and clips of eight frames."""
    clip = jax.random.normal(jax.random.key(1), (3, 8, 16, 16, 3))
    init = quickly(lambda key: network(srtg="final").init(key, clip, train=False))
    return init(jax.random.key(0)), clip


def test_each_gate_is_named_and_tested_per_clip(trained):
    variables, clip = trained
    model = network(srtg="final", gate="hard")
    gates = quickly(lambda v, x: gates_of(model, v, x))(*trained)
    assert list(gates) == ["layer1_block1", "layer2_block1"]
    assert all(value.shape == (3,) and value.dtype == bool for value in gates.values())
    # Random cells match none of four frames (stage 1); two more clips do not change the others.
    assert not gates["layer1_block1"].any()
    scores = quickly(lambda v, x: gate_scores(model, v, x))(variables, clip[:1])
    np.testing.assert_array_equal(scores[0], [float(value[0]) for value in gates.values()])


def test_one_frame_matches_itself(trained):
    variables, clip = trained
    model = network(srtg="final", gate="hard")
    gates = quickly(lambda v, x: gates_of(model, v, x))(variables, clip[:, :1])
    assert all(value.all() for value in gates.values())


@pytest.mark.parametrize("options", [{}, {"srtg": "final"}])
def test_a_network_without_gates_is_refused(options):
    model = network(**options)
    clip = jax.ShapeDtypeStruct((1, 4, 16, 16, 3), jnp.float32)
    with pytest.raises(ValueError, match="srtg and gate='hard'"):
        jax.eval_shape(
            lambda key, x: gates_of(model, model.init(key, x, train=False), x),
            jax.random.key(0),
            clip,
        )


def test_fractions_are_means_over_videos():
    scores = np.array([[1, 0], [1, 0], [0, 0], [1, 1]])
    states = states_of("runs/a", ["x", "y"], scores)
    assert states == [GateState("runs/a", "x", 0.75, 4), GateState("runs/a", "y", 0.25, 4)]


def test_the_log_of_a_run_is_read(tmp_path):
    lines = [
        {"step": 10, "split": "train", "loss": 1.5, "open/layer1_block1": 1.0},
        {"step": 20, "split": "train", "open/layer1_block1": 0.5, "matched/layer1_block1": 0.25},
        {"step": 20, "split": "test-1x1", "top1": 0.3, "agreement/layer1": 0.1},
    ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert read_log(tmp_path, "a") == [
        GateLog("a", 10, "layer1_block1", "open", 1.0),
        GateLog("a", 20, "layer1_block1", "open", 0.5),
        GateLog("a", 20, "layer1_block1", "matched", 0.25),
    ]
    assert read_log(tmp_path / "nothing", "a") == []


def test_the_plot_has_a_curve_per_run_and_a_number_per_gate():
    states = [GateState(f"runs/{run}", gate, 0.5, 8) for run in "ab" for gate in ("x", "y")]
    logs = [
        GateLog("runs/a", step, gate, "open", fraction)
        for step in (1, 2)
        for gate, fraction in (("x", 0.2 * step), ("y", 0.0))
    ]
    left, right = draw_gates(states, logs).axes
    (curve,) = left.lines
    assert curve.get_label() == "a"
    np.testing.assert_allclose(curve.get_xydata(), [(1, 0.1), (2, 0.2)])
    assert [text.get_text() for text in right.texts] == ["0.50"] * 4
    assert [label.get_text() for label in right.get_yticklabels()] == ["a", "b"]


def test_the_plot_marks_runs_without_a_log():
    left, _ = draw_gates([GateState("a", "x", 1.0, 2)], []).axes
    assert "no run" in left.texts[0].get_text()
