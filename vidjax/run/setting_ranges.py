"""The allowed values of each setting of a configuration, group by group.

Clips, augmentation and multigrid have tables of their own beside their classes in `vidjax.data`.
Networks and data sets check their own options.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from vidjax.data.optical_flow import FLOW
from vidjax.data.pipeline import LARGEST_SIZE
from vidjax.data.process_pool import MOST_WORKERS
from vidjax.data.video_sampler import SAMPLINGS
from vidjax.data.views import VIEWS
from vidjax.run.durations import is_duration
from vidjax.settings import Kind, boolean, either, number, one_of, optional, several, whole

# The largest seed that fits the 32 bits used for shuffling.
LARGEST_SEED = 2**32 - 1
LARGEST_BATCH = 2**20
# Bounds of rates, weights and norms: beyond any sensible value, within float32.
LARGEST_NUMBER = 1_000_000
MOST_DEVICES = 1_000_000
LONGEST_TEXT = 4096

_DURATION = Kind("a duration, such as '400 steps', '20 epochs' or '5%'", is_duration)
_LENGTH = Kind(
    "a duration in steps or epochs, such as '400 steps' or '20 epochs'",
    lambda value: is_duration(value) and not str(value).rstrip().endswith(("%", "percent")),
)
_TEXT = Kind(
    f"a text of at most {LONGEST_TEXT} characters",
    lambda value: isinstance(value, str) and len(value) <= LONGEST_TEXT,
)
_NAME = Kind(
    f"a name of at most {LONGEST_TEXT} characters",
    lambda value: _TEXT.accepts(value) and bool(value.strip()),
)
_NAMES = Kind(
    "a tuple of different names, such as ('one', 'another')",
    lambda values: (
        isinstance(values, tuple)
        and len(values) == len(set(values)) <= 1000
        and all(map(_NAME.accepts, values))
    ),
)
_FACTOR = number(above=0, most=LARGEST_NUMBER)
_FACTORS = Kind(
    f"factors by name, such as {{'head': 10}}, each {_FACTOR.text}",
    lambda values: isinstance(values, Mapping) and all(map(_FACTOR.accepts, values.values())),
)
_AXIS = either(whole(1, MOST_DEVICES), one_of(-1))
_CLIPS = re.compile("[1-9][0-9]{0,5}")
_NORM_GROUP = Kind(
    "'global', 'per_device' or a number of clips",
    lambda value: (
        str(value) in ("global", "per_device")
        or (not isinstance(value, bool) and _CLIPS.fullmatch(str(value)) is not None)
    ),
)
_CLASS_WEIGHTS = Kind(
    "one of none, balanced, inverse_sqrt, or a CSV file, whose name ends in .csv",
    lambda value: (
        _TEXT.accepts(value)
        and "\0" not in value
        and (value in ("none", "balanced", "inverse_sqrt") or value.lower().endswith(".csv"))
    ),
)


def _colours(kind: Kind) -> Kind:
    """Accepts values for R, G, B, or for x, y of flow; `conflicting_settings` checks which."""
    three, two = several(kind, 3), several(kind, 2)
    return Kind(three.text, lambda value: three.accepts(value) or two.accepts(value))


ALLOWED: Mapping[str, Mapping[str, Kind]] = {
    "": {
        "seed": whole(0, LARGEST_SEED),
        "dtype": one_of("float32", "bfloat16"),
        "writers": _NAMES,
    },
    "model": {
        "name": _NAME,
        "weights": _TEXT,
        "mean": optional(_colours(number(-1000, 1000))),
        "std": optional(_colours(number(above=0, most=1000))),
    },
    "data": {
        "name": _NAME,
        "manifest": _TEXT,
        "root": _TEXT,
        "data_dir": _TEXT,
        "cache_dir": _TEXT,
        "cache_gb": optional(number(above=0, most=LARGEST_NUMBER)),
        "shuffle_shards": whole(0, LARGEST_BATCH),
        "manual_dir": _TEXT,
        "verdicts": _TEXT,
        "short_side": whole(1, LARGEST_SIZE),
        "fps": optional(number(above=0, most=1000)),
        "quality": whole(1, 100),
        "input": one_of("frames", "flow"),
        **{f"flow_{name}": kind for name, kind in FLOW.items()},
        "bad_video_budget": number(0, 1),
        "allow_group_leak": boolean(),
        "multi_label": boolean(),
        "train_split": _NAME,
        "train_per_class": whole(0, LARGEST_NUMBER),
        "workers": whole(1, MOST_WORKERS),
        "threads": whole(1, 4096),
    },
    "train": {
        "duration": _LENGTH,
        "batch_size": whole(1, LARGEST_BATCH),
        "label_smoothing": number(0, below=1),
        "accumulate": whole(1, LARGEST_BATCH),
        "ema": number(0, below=1),
        "batch_norm": _NORM_GROUP,
        "cutmix": number(0, LARGEST_NUMBER),
        "cutmix_chance": number(0, 1),
        "mixup": number(0, LARGEST_NUMBER),
        "class_weights": _CLASS_WEIGHTS,
        "sampling": one_of(*SAMPLINGS),
        "train_only": _TEXT,
        "frozen": _NAMES,
        "frozen_batch_norm": boolean(),
        "partial_batch_norm": boolean(),
    },
    "optimizer": {
        "name": _NAME,
        "lr": number(0, LARGEST_NUMBER),
        "reference_batch": whole(0, LARGEST_BATCH),
        "momentum": number(0, below=1),
        "nesterov": boolean(),
        "weight_decay": number(0, LARGEST_NUMBER),
        "decay_norm_and_bias": boolean(),
        "decay_recurrent": boolean(),
        "clip_norm": number(0, LARGEST_NUMBER),
        "lr_factors": _FACTORS,
        "layer_decay": number(above=0, most=1),
    },
    "schedule": {
        "name": one_of("cosine", "step", "constant"),
        "warmup": _DURATION,
        "boundaries": Kind(
            "a tuple of durations, such as ('50%', '75%')",
            lambda values: (
                isinstance(values, tuple) and len(values) <= 1000 and all(map(is_duration, values))
            ),
        ),
        "factor": number(above=0, most=LARGEST_NUMBER),
        "cosine_over": one_of("rest", "run"),
    },
    "every": {
        "log": _DURATION,
        "checkpoint": _DURATION,
        "evaluate": _DURATION,
        "keep": whole(1, 1_000_000),
    },
    "mesh": {"data": _AXIS, "fsdp": _AXIS},
    "eval": {
        **VIEWS,
        "split": _NAME,
        "batch_size": whole(1, LARGEST_BATCH),
    },
}
