"""A small made-up table of features."""

import numpy as np

from vidjax.trained.feature_files.table import Features

ABOUT = {"network": "made up", "layer": "pre_logits"}


def table(rows=6, width=4, dtype="float32", **changes):
    """Returns features of three videos; the first half is for training."""
    features = np.random.default_rng(0).normal(size=(rows, width)).astype(dtype)
    numbers = np.arange(rows)
    columns = {
        "video": np.array([f"vidéo {k % 3}.mp4" for k in numbers], np.str_),
        "label": np.array(["walk", "run"], np.str_)[numbers % 2],
        "split": np.where(numbers < rows // 2, "train", "test"),
        "group": np.array([""] * rows, np.str_),
        "start": numbers * 0.5,
        "end": numbers * 0.5 + 1,
        "clip": numbers // 3,
    }
    return Features(features, **{**columns, **changes}, about=ABOUT)
