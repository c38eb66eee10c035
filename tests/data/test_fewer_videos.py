"""Tests the limit on training videos per class."""

import collections
import itertools

import numpy as np
import pytest

from configs import synthetic
from vidjax.data.class_matching import Relabelled
from vidjax.data.fewer_videos import FewerVideos
from vidjax.data.prepared import Record
from vidjax.run.config import ConfigError, from_mapping
from vidjax.run.experiment import Experiment

LABELS = np.array([0, 1, 0, 1, 1, -1, 0, 1])


class Source:
    """Eight videos of two classes; the sixth is damaged and its class is unknown."""

    classes, manifest_digest, broken, channels = ("sit", "walk"), "digest", (), 4

    def __init__(self, order=range(8)):
        self._order = list(order)

    def __len__(self):
        return len(self._order)

    def __getitem__(self, index):
        number = self._order[index]
        return Record([], int(LABELS[number]), f"v{number}", 25.0)

    def labels(self):
        return LABELS[self._order]


def contents(split):
    return [(split[k].name, split[k].label) for k in range(len(split))]


def test_each_class_has_at_most_the_given_number_of_videos():
    split = FewerVideos(Source(), 2)
    assert collections.Counter(label for _, label in contents(split)) == {0: 2, 1: 2}
    assert split.names() == [name for name, _ in contents(split)]
    assert split.labels().tolist() == [label for _, label in contents(split)]
    assert all(LABELS[int(name[1:])] == label for name, label in contents(split))
    assert (split.classes, split.channels) == (("sit", "walk"), 4)
    assert not hasattr(split, "shard_lengths")
    assert collections.Counter(FewerVideos(Source(), 100).labels().tolist()) == {0: 3, 1: 4}


def test_a_smaller_choice_is_part_of_a_larger_one_in_any_order_of_the_videos():
    nested = [set(FewerVideos(Source(), most).names()) for most in (1, 2, 3, 4)]
    assert all(small < large for small, large in itertools.pairwise(nested))
    turned = FewerVideos(Source(np.random.default_rng(0).permutation(len(LABELS))), 2)
    assert set(turned.names()) == nested[1]


def test_choices_of_different_sizes_have_different_digests():
    one, other = (FewerVideos(Source(), most) for most in (1, 2))
    assert len({one.manifest_digest, other.manifest_digest, Source.manifest_digest}) == 3
    assert repr(one) != repr(other)


def opened(**data):
    config = synthetic.get_config()
    config.data.update(data)
    return Experiment.open(from_mapping(config), lambda *done: None, training=True)


def test_a_run_trains_on_the_chosen_videos_and_tests_on_all():
    whole, part = opened(), opened(train_per_class=3)
    assert len(part.split("train")) == 3 * len(whole.network.classes)
    assert len(part.split("test")) == len(whole.split("test"))
    assert len(whole.split("train")) > len(part.split("train"))
    relabelled = Relabelled(FewerVideos(Source(), 1), ("walk", "run", "sit"))
    assert sorted(relabelled.labels().tolist()) == [0, 2]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"shuffle_shards": 4}, "data.shuffle_shards = 4 with data.train_per_class = 3"),
        ({"multi_label": True}, "data.train_per_class = 3 with data.multi_label = True"),
    ],
)
def test_conflicting_settings_are_refused(data, message):
    config = synthetic.get_config()
    config.data.update({"train_per_class": 3} | data)
    with pytest.raises(ConfigError, match=message):
        from_mapping(config)
