"""Tests the confusion plot: small and fast for any number of classes, and complete."""

import time

import cv2
import numpy as np
import pytest

from vidjax.evaluation.confusion_plot import Confusion, draw_confusion, worst_confusions


def confused(count, pairs):
    """Returns counts of 10 videos per class, all correct but one of each pair."""
    matrix = 10 * np.eye(count, dtype=np.int64)
    for label, predicted in pairs:
        matrix[label, label] -= 1
        matrix[label, predicted] += 1
    return matrix


def dark_pixels(file):
    """Returns which pixels of the plot are not nearly white, by row and column."""
    picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    return np.argwhere(picture < 200)


@pytest.mark.parametrize("count", [1, 40, 101, 400, 700, 2000])
def test_a_plot_of_any_number_of_classes_is_small_and_fast(tmp_path, count):
    file = tmp_path / "confusion.png"
    start = time.process_time()
    draw_confusion(file, confused(count, []), [f"class {k}" for k in range(count)], "title")
    # It used to take minutes and gigabytes. A busy machine meets this bound too.
    assert time.process_time() - start < 30
    height, width = cv2.imread(str(file)).shape[:2]
    assert max(height, width) < 3000
    assert list(tmp_path.iterdir()) == [file]


def test_one_confusion_among_2000_classes_is_seen(tmp_path):
    names = [str(k) for k in range(2000)]
    draw_confusion(tmp_path / "right.png", confused(2000, []), names, "title")
    draw_confusion(tmp_path / "wrong.png", confused(2000, [(100, 1900)]), names, "title")
    right, wrong = (
        cv2.imread(str(tmp_path / f"{name}.png"), cv2.IMREAD_GRAYSCALE).astype(int)[:, :850]
        for name in ("right", "wrong")
    )
    changed = np.argwhere(right != wrong)
    assert len(changed) > 0
    # Row 100 of 2000 is near the top, column 1900 near the right edge of the image.
    row, column = changed.mean(axis=0)
    assert row < 150
    assert column > 700


def test_names_with_math_characters_are_drawn_unchanged(tmp_path):
    names = [r"$100\bar$", "a_b^c", r"\frac", "$", "%{}", "é"]
    draw_confusion(tmp_path / "few.png", confused(6, [(0, 1)]), names, r"top-1 $\bar$ of it")
    draw_confusion(tmp_path / "many.png", confused(120, [(0, 1)]), names * 20, "title")
    assert dark_pixels(tmp_path / "few.png").size
    assert dark_pixels(tmp_path / "many.png").size


def test_confusions_are_listed_worst_first():
    matrix = np.array([[5, 3, 0], [1, 1, 3], [0, 0, 9]])
    assert worst_confusions(matrix, ["a", "b", "c"]) == [
        Confusion("b", "c", 3, 3 / 5),
        Confusion("a", "b", 3, 3 / 8),
        Confusion("b", "a", 1, 1 / 5),
    ]
    assert worst_confusions(10 * np.eye(3, dtype=int), ["a", "b", "c"]) == []
