"""Tests features of real videos by a published network."""

import dataclasses

import numpy as np
import pytest

from vidjax.data.manifest import read_manifest
from vidjax.evaluation import knn
from vidjax.progress import ProgressLine
from vidjax.trained.feature_extraction import Extraction, extract
from vidjax.trained.feature_files.files import read_features
from vidjax.trained.open_weights import open_weights


@pytest.mark.slow
def test_features_of_the_same_action_are_nearest(shared, tmp_path):
    file = shared / "weights/i3d_kinetics400_hassony2.pth"
    videos = shared / "clips/ucf101_few"
    if not (file.is_file() and videos.is_dir()):
        pytest.skip(f"no weights of I3D, or no videos, in {shared}")
    trained = open_weights(f"i3d:{file}")
    seen = dataclasses.replace(trained.preprocessing, frames=16, size=112, short_side=112)
    manifest = read_manifest(videos, allow_group_leak=True)
    given = dataclasses.replace(trained, preprocessing=seen), manifest, tmp_path / "f.npz"
    assert extract(*given, Extraction(), ProgressLine(silent=True)) == []
    found = read_features(tmp_path / "f.npz")
    assert found.features.shape == (15, 1024)
    unit = found.features / np.linalg.norm(found.features, axis=1, keepdims=True)
    similar, same = unit @ unit.T, found.label[:, None] == found.label
    others = ~np.eye(15, dtype=bool)
    assert similar[same & others].mean() > similar[~same].mean() + 0.1
    # Leave-one-out nearest-neighbour classification.
    for row in range(15):
        rest = found.where(np.arange(15) != row)
        alone = found.where(np.arange(15) == row)
        assert knn(rest.features, rest.label, alone.features, alone.label, k=1).top1 == 1.0
