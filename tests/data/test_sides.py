"""Labels that tell left from right, and what is refused for them."""

import pytest

from configs import common
from vidjax.data.marionette import CLASSES
from vidjax.data.sides import refuse_mirrors, sided
from vidjax.training import loop
from vidjax.training.config import from_mapping
from vidjax.training.experiment import Experiment
from vidjax.training.network import Network
from vidjax.training.sharding import make_mesh

SIDED = ("walk", "turn_left", "turn_right", "jump")


@pytest.mark.parametrize(
    "name",
    [
        "left",
        "Pulling something from left to right",
        "turn_right",
        "Swiping Left",
        "TurnLeft",
        "RIGHT-hook",
        "left2right",
        "(right) hand",
    ],
)
def test_left_and_right_as_words_tell_sides(name):
    assert sided(("walk", name)) == (name,)


@pytest.mark.parametrize(
    "name",
    [
        "brightness 3",
        "cleft",
        "LeftoverSoup",
        "copyright",
        "upright",
        "Frighten",
        "rights",
        "BRIGHT",
    ],
)
def test_left_and_right_within_words_do_not(name):
    assert sided(("walk", name)) == ()


def test_the_generated_data_set_may_be_mirrored():
    assert sided(CLASSES) == ()


def test_a_refusal_names_two_labels_and_the_fix():
    refuse_mirrors(("walk", "jump"), "augment.flip = 0.5", "augment.flip=0")
    message = "0.5 mirrors .* 2 labels .* 'turn_left' and 'turn_right'; set augment.flip=0,"
    with pytest.raises(ValueError, match=message):
        refuse_mirrors(SIDED, "augment.flip = 0.5", "augment.flip=0")


def experiment(classes=SIDED, **changes):
    raw = common.smoke(common.base())
    for path, value in changes.items():
        group, key = path.split("__")
        raw[group][key] = value
    config = from_mapping(raw)
    return Experiment(config, Network(config, classes, make_mesh(config.mesh)), None)


def test_training_on_mirrored_clips_of_sided_labels_is_refused(monkeypatch, tmp_path):
    found = experiment()
    monkeypatch.setattr(Experiment, "open", lambda config, progress: found)
    with pytest.raises(ValueError, match="augment.flip = 0.5 mirrors clips"):
        loop.train(found.config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("classes", "changes"),
    [
        (("walk", "jump"), {}),
        (SIDED, {"augment__flip": 0.0}),
        (SIDED, {"augment__flip_sided": True}),
    ],
)
def test_training_goes_on_where_no_label_is_hurt_or_the_user_insists(classes, changes):
    experiment(classes, **changes).check_mirroring()


def test_ten_crops_of_sided_labels_are_refused():
    ten = {"eval__crops": 10, "eval__short_side": 56}
    with pytest.raises(ValueError, match="eval.crops = 10 mirrors .* set eval.crops=3, or augment"):
        experiment(**ten).network.views  # noqa: B018
    assert experiment(**ten, augment__flip_sided=True).network.views.crops == 10
    assert experiment(("walk",), **ten).network.views.short_side == 56
    assert experiment(eval__crops=3).network.views.crops == 3
