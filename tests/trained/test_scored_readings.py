"""Tests that evaluations report the sown readings of methods, averaged over views."""

import json

import jax
import numpy as np
import pytest

from configs import synthetic
from vidjax.data.views import view_batches
from vidjax.run.config import from_mapping
from vidjax.run.experiment import Experiment
from vidjax.trained.scoring import Scorer

VIDEOS, CLIPS = 10, 2


def opened(**options):
    config = synthetic.get_config()
    config.model.options = {"width": 4, "depths": (1, 0, 0, 1), **options}
    config.data.options = {"num_classes": 3, "videos": VIDEOS, "frames": 12, "size": 20}
    config.clip.update({"frames": 4, "stride": 1, "size": 16})
    config.eval.update({"size": 16, "batch_size": 8, "clips": CLIPS, "crops": 1})
    return Experiment.open(from_mapping(config), lambda *done: None)


@pytest.fixture(scope="module")
def scored():
    """Returns an experiment with two methods, variables, and the scores of all videos."""
    experiment = opened(class_reg={}, srtg={"placement": "final", "layers": 1}, gate="hard")
    network = experiment.network
    clip = np.zeros((1, *network.clip_shape), np.float32)
    variables = network.module.init(jax.random.key(1), clip, train=False)
    # The last video of the last batch is padding.
    return experiment, variables, Scorer(experiment).score(variables)


def test_readings_are_means_over_all_views(scored):
    experiment, variables, found = scored
    network, sums = experiment.network, {}
    source = experiment.split("test")
    for batch in view_batches(source, network.views, batch_size=1):
        x = (batch["clip"][:, 0] / np.float32(255) - network.mean) / network.std
        logits, state = network.module.apply(
            variables, np.float32(x), train=False, mutable=["intermediates"]
        )
        sown, answer = state["intermediates"], int(np.argmax(logits))
        for stage in ("layer1", "layer4"):
            guess = int(sown[stage]["after_stage"]["class_index"][0][0])
            gate = sown[stage]["block1"]["gate"]
            values = {
                f"right/{stage}": guess == int(batch["label"][0]),
                f"agreement/{stage}": guess == answer,
                f"open/{stage}_block1": bool(gate["gate_open"][0][0]),
                f"state_size/{stage}_block1": float(gate["state_size"][0][0]),
            }
            for name, value in values.items():
                sums.setdefault(name, []).append(value)
        sums.setdefault("logits_deviation", []).append(float(np.std(logits)))
    assert {len(values) for values in sums.values()} == {VIDEOS * CLIPS}
    means = {name: np.mean(values) for name, values in sums.items()}
    # This one depends on the other clips of a batch.
    alone = {name: value for name, value in found.readings.items() if "same_guess" not in name}
    assert alone == pytest.approx(means, rel=1e-4)
    assert 0 < found.readings["right/layer1"] < 1


def test_readings_do_not_change_scores(scored):
    experiment, variables, found = scored
    scorer = Scorer(experiment)
    (scores,), labels = scorer.score_each([variables])
    np.testing.assert_allclose(found.scores, scores, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found.labels, labels)
    assert set(found.clips) == {"clip_top1"}


def test_the_report_contains_the_readings(scored, tmp_path):
    experiment, _, found = scored
    file, *_ = Scorer(experiment).report(tmp_path, 3, found)
    assert json.loads(file.read_text())["readings"] == dict(found.readings)


def test_networks_without_methods_have_no_readings():
    experiment = opened()
    network = experiment.network
    clip = np.zeros((1, *network.clip_shape), np.float32)
    found = Scorer(experiment).score(network.module.init(jax.random.key(1), clip, train=False))
    assert found.readings == {}
    assert found.scores.shape == (VIDEOS, 3)
