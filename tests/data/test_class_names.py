"""Classes are matched by name, whatever their number and order."""

import numpy as np
import pytest

from vidjax.data.class_names import RenumberedSplit, differences, places
from vidjax.data.synthetic import SyntheticSplit


def test_each_class_has_its_number_among_those_of_the_network():
    assert places(["walk", "run"], ["run", "sit", "walk"]).tolist() == [2, 0]
    assert places(["walk", "swim"], ["run", "sit", "walk"]) is None
    assert places([], ["a"]).tolist() == []


def test_both_lists_are_told_apart():
    text = differences(["drive", "walk"], ["sit", "walk"])
    assert text == "1 only in the data set: 'drive'; 1 only in the network: 'sit'"
    text = differences([str(k) for k in range(10)], [])
    assert text == "10 only in the data set: '0', '1', '2', '3', '4' and 5 more"


def test_a_renumbered_split_gives_the_same_videos_with_the_networks_labels():
    source = SyntheticSplit(num_classes=3, videos=7, frames=2, size=8)
    order = ("other", *source.classes[::-1])
    split = RenumberedSplit(source, order)
    assert len(split) == 7
    assert (split.classes, split.manifest_digest) == (order, source.manifest_digest)
    for index in range(7):
        ours, theirs = split[index], source[index]
        assert order[ours.label] == source.classes[theirs.label]
        assert ours.jpegs == theirs.jpegs
    assert np.unique([split[k].label for k in range(7)]).tolist() == [1, 2, 3]


def test_a_split_with_a_class_of_its_own_is_refused():
    source = SyntheticSplit(num_classes=2, videos=2, frames=2, size=8)
    with pytest.raises(ValueError, match="1 only in the data set: 'brightness 1'"):
        RenumberedSplit(source, ["brightness 0", "sit"])
