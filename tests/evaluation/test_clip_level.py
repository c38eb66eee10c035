"""Tests clip-level accuracy against counting the views one by one."""

import numpy as np
import pytest

from vidjax.evaluation.clip_level import HITS, with_hits, without_hits
from vidjax.evaluation.protocol import score_videos

RNG = np.random.default_rng(0)
VIDEOS, CLIPS, CROPS = 9, 3, 2


def scored(table, labels, batch_size):
    """Returns a protocol's averages over (video, clip) pairs in batches with padding."""
    pairs = [(video, clip) for video in range(VIDEOS) for clip in range(CLIPS)]
    batches = []
    for start in range(0, len(pairs), batch_size):
        part = pairs[start : start + batch_size]
        padded = part + [(0, 0)] * (batch_size - len(part))
        video, clip = np.array(padded).T
        batches.append({"video": video, "clip": clip, "mask": np.arange(batch_size) < len(part)})

    def predict(batch):
        # Padding rows are predicted too, perhaps correctly, but must not count.
        return with_hits(table[batch["video"], batch["clip"]], labels[batch["video"]])

    width = table.shape[-1] + HITS
    return score_videos(predict, batches, num_videos=VIDEOS, num_classes=width)


@pytest.mark.parametrize("classes", [4, 8])
@pytest.mark.parametrize("batch_size", [1, 4, 32])
def test_single_views_count_once_each_for_any_batch_size(batch_size, classes):
    table = RNG.random((VIDEOS, CLIPS, CROPS, classes)).astype(np.float32)
    labels = RNG.integers(0, classes, VIDEOS)
    scores, shares = without_hits(scored(table, labels, batch_size))
    np.testing.assert_allclose(scores, table.mean(axis=(1, 2)), rtol=1e-6)
    right = {1: 0, 5: 0}
    for video, label in enumerate(labels):
        for view in table[video].reshape(-1, classes):
            for first in right:
                right[first] += label in sorted(range(classes), key=lambda k: -view[k])[:first]
    expected = {f"clip_top{first}": n / (VIDEOS * CLIPS * CROPS) for first, n in right.items()}
    if classes < 6:
        del expected["clip_top5"]
    assert shares == pytest.approx(expected)


def test_a_video_may_be_right_while_most_of_its_views_are_wrong():
    views = np.array([[[0.5, 0.45, 0.05]], [[0.1, 0.45, 0.45]], [[0.5, 0.45, 0.05]]])
    averages = with_hits(views, np.array([1, 1, 1])).mean(axis=0)
    scores, shares = without_hits(averages)
    assert scores.argmax(axis=1) == [1]
    # With equal scores no class is the most likely.
    assert shares == {"clip_top1": 0}
