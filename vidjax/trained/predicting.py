"""Predicting single video files with a trained network."""

from __future__ import annotations

import functools
from pathlib import Path

import jax
import numpy as np

from vidjax.data.decode import read_encoded
from vidjax.data.prepared import Record
from vidjax.data.transforms import encode_jpeg
from vidjax.trained.preprocessing import Preprocessing
from vidjax.trained.trained import Trained


def predict(trained: Trained, video: Path, top: int = 5) -> list[tuple[str, float]]:
    """The likeliest classes of a video file, best first, with their probabilities.

    The video is brought into the form that the network was trained on and seen in its views.

    Args:
      trained: the network.
      video: a file.
      top: how many classes.

    Raises:
      ValueError: the weights or the video cannot be read.
    """
    record = as_record(video, trained.preprocessing)
    views = trained.views
    crops = np.stack([views.cut(record, clip) for clip in range(views.clips)])
    scores = np.asarray(jax.jit(trained.probabilities)(trained.variables, crops))
    probabilities = scores.mean(axis=(0, 1))
    order = np.argsort(-probabilities, kind="stable")[:top]
    return [(trained.labels[k], float(probabilities[k])) for k in order]


def as_record(
    video: Path,
    preprocessing: Preprocessing,
    *,
    start: float | None = None,
    end: float | None = None,
) -> Record:
    """A video file, or a piece of it, in the form in which a data set for the network stores it.

    Args:
      video: a file.
      preprocessing: of the network.
      start: seconds from the first frame; None is 0.
      end: seconds, exclusive; None is the end.

    Raises:
      DecodeError: the file cannot be decoded.
    """
    encode = functools.partial(encode_jpeg, quality=preprocessing.quality)
    side = preprocessing.stored_side or preprocessing.short_side
    decoded = read_encoded(
        video, encode, start=start, end=end, fps=preprocessing.fps, short_side=side
    )
    return Record(jpegs=decoded.frames, label=-1, name=str(video), fps=decoded.fps)
