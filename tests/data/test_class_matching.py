import numpy as np
import pytest

from vidjax.data.class_matching import ClassesError, Relabelled, require_known
from vidjax.data.prepared import Record


class Source:
    """Three videos of two classes; the last is damaged and its class is unknown."""

    classes = ("sit", "café")
    manifest_digest, broken = "digest", ()

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return Record([], (0, 1, -1)[index], f"v{index}", 25.0)


def test_labels_are_matched_by_name_not_by_index():
    # In the other Unicode form, and with a class that the data set lacks.
    network = ("cafe\u0301", "run", "sit")
    split = Relabelled(Source(), network)
    assert split.classes == network
    assert [split[index].label for index in range(len(split))] == [2, 0, -1]
    assert [split[index].name for index in range(3)] == ["v0", "v1", "v2"]


def test_an_unknown_class_is_refused_and_the_error_lists_both_sides():
    message = r"2 classes are not the 2 .* does not know 'café', and the data set lacks 'walk'"
    with pytest.raises(ClassesError, match=message):
        Relabelled(Source(), ("sit", "walk"))


def test_continued_training_needs_all_classes():
    require_known(("sit",), ("walk", "sit"))
    require_known(("walk", "sit"), ("sit", "walk"), all_of_them=True)
    with pytest.raises(ClassesError, match="the data set lacks 'walk'"):
        require_known(("sit",), ("walk", "sit"), all_of_them=True)


def test_scores_do_not_depend_on_the_order_of_classes():
    """The accuracy of fixed scores is the same for both orders of the labels."""
    scores = np.eye(3)[[2, 0]]
    split = Relabelled(Source(), ("café", "run", "sit"))
    labels = [split[index].label for index in range(2)]
    assert (scores.argmax(-1) == labels).all()
