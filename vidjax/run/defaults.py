"""The default of every setting; configuration files override what they need.

Durations are texts: "400 steps", "20 epochs", or "5%" of the whole run. `vidjax/run/config.py` and
`vidjax/run/setting_groups.py` document each setting, and `vidjax/run/setting_ranges.py` has its
allowed values. The default of a new setting must change nothing, so that older runs resume as they
began.
"""

from __future__ import annotations

from typing import Any

import ml_collections
from ml_collections import config_dict


def defaults() -> ml_collections.ConfigDict:
    """Returns the complete configuration; flags may also set the settings that are None here."""
    config = ml_collections.ConfigDict()
    config.seed = 0
    config.dtype = "float32"
    config.writers = ("tensorboard",)
    config.model = {
        "name": "r3d_18",
        "options": {},
        "weights": "",
        "mean": config_dict.placeholder(tuple),
        "std": config_dict.placeholder(tuple),
    }
    config.data = _data()
    config.clip = {"frames": 16, "stride": 2, "size": 112, "short": "loop"}
    config.clip.update({"sampling": "dense", "fit": False})
    config.augment = _augment()
    config.train = _train()
    config.optimizer = _optimizer()
    config.schedule = {"name": "cosine", "warmup": "5%", "boundaries": (), "factor": 0.1}
    config.schedule.update({"cosine_over": "rest"})
    config.every = {"log": "10 steps", "checkpoint": "1 epochs", "evaluate": "1 epochs", "keep": 2}
    config.multigrid = {
        "cycle": "none",
        "over": "epoch",
        "both": "capped",
        "anchor": "default",
        "time": "picks",
    }
    config.mesh = {"data": -1, "fsdp": 1}
    config.eval = {
        "split": "test",
        "clips": 1,
        "crops": 1,
        "frames": 0,
        "size": 112,
        "short_side": 0,
        "stretched": config_dict.placeholder(tuple),
        "batch_size": 16,
    }
    return config


def _data() -> dict[str, Any]:
    return {
        "name": "marionette",
        "manifest": "",
        "root": "",
        "manual_dir": "",
        "verdicts": "",
        "data_dir": "data",
        "cache_dir": "",
        "cache_gb": config_dict.placeholder(float),
        "shuffle_shards": 0,
        "short_side": 128,
        "fps": config_dict.placeholder(float),
        "quality": 90,
        "input": "frames",
        "flow_method": "dis",
        "flow_bound": 20.0,
        "flow_pairs": 5,
        "bad_video_budget": 0.25,
        "allow_group_leak": False,
        "multi_label": False,
        "options": {},
        "train_split": "train",
        "train_per_class": 0,
        "workers": 2,
        "threads": 2,
    }


def _train() -> dict[str, Any]:
    return {
        "duration": "20 epochs",
        "batch_size": 16,
        "label_smoothing": 0.0,
        "accumulate": 1,
        "ema": 0.0,
        "batch_norm": "global",
        "cutmix": 0.0,
        "cutmix_chance": 1.0,
        "mixup": 0.0,
        "class_weights": "none",
        "sampling": "uniform",
        "train_only": "",
        "frozen": (),
        "frozen_batch_norm": False,
        "partial_batch_norm": False,
    }


def _optimizer() -> dict[str, Any]:
    return {
        "name": "sgd",
        "lr": 0.1,
        "reference_batch": 0,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 1e-4,
        "decay_norm_and_bias": False,
        "decay_recurrent": False,
        "clip_norm": 0.0,
        "options": {},
        "lr_factors": {},
        "layer_decay": 1.0,
    }


def _augment() -> dict[str, Any]:
    return {
        "scale": (0.5, 1.0),
        "ratio": (0.75, 1.3333),
        "flip": 0.5,
        "color": 0.0,
        "chain": 0.0,
        "member": 0.4,
        "crop": "area",
        "short_side": 0,
        "device": False,
        "flip_sided": False,
        "also": {},
    }
