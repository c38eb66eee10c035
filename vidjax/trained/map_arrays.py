"""Writes saliency maps as arrays, for use by other programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vidjax import zipped_arrays
from vidjax.trained.clip_maps import ClipMaps
from vidjax.untrusted_names import file_name


def write_volumes(file: Path, mapped: Mapping[str, ClipMaps]) -> None:
    """Writes maps to a `.npz` file, which NumPy reads without pickles.

    Each volume is float32 `[T, H, W]` in [0, 1], over the network's crop. `names` lists the
    volumes: `volumes[names[k]]`. These arrays have the same length: `maps`, `titles` (network and
    class), `classes`, `probabilities` (float32), `layers` (empty for the pooled layer, or the clip
    itself), `cells`, such as `4x7x7 cells`, `passes` (int64) and `seconds` (float64). Each volume
    also has `NAME.times`, the times of its frames in seconds from the start of the video, float64
    `[T]`; `NAME.window`, the network's crop of the video's frames: top, left, height and width in
    pixels, float64 `[4]`; and `NAME.size`, the height and width of the frames, int64 `[2]`.

    Args:
      file: the file to write.
      mapped: maps by title.

    Raises:
      OSError: the file cannot be written.
    """
    rows = [
        (f"{number}-{file_name(own.label)}-{name}", title, own, drawn)
        for number, (title, own) in enumerate(mapped.items(), start=1)
        for name, drawn in own.maps.items()
    ]
    arrays: dict[str, np.ndarray] = {
        "names": np.array([name for name, *_ in rows]),
        "titles": np.array([title for _, title, *_ in rows]),
        "maps": np.array([drawn.name for *_, drawn in rows]),
        "classes": np.array([own.label for _, _, own, _ in rows]),
        "probabilities": np.array([own.probability for _, _, own, _ in rows], np.float32),
        "layers": np.array([drawn.layer or "" for *_, drawn in rows]),
        "cells": np.array([drawn.resolution for *_, drawn in rows]),
        "passes": np.array([drawn.passes for *_, drawn in rows], np.int64),
        "seconds": np.array([drawn.seconds for *_, drawn in rows], np.float64),
    }
    for name, _, own, drawn in rows:
        arrays[name] = np.asarray(drawn.volume, np.float32)
        arrays[f"{name}.times"] = np.asarray(own.opened.seconds, np.float64)
        arrays[f"{name}.window"] = np.asarray(own.shown.window, np.float64)
        arrays[f"{name}.size"] = np.asarray(own.shown.size, np.int64)
    zipped_arrays.write(file, arrays)
