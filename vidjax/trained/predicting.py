"""Predicting single video files with a trained network."""

from __future__ import annotations

import functools
from pathlib import Path

import jax
import numpy as np

from vidjax.data.decode import read_encoded
from vidjax.data.prepared import Record
from vidjax.data.transforms import encode_jpeg
from vidjax.run.config import Config
from vidjax.run.network import Network
from vidjax.run.restoring import restore
from vidjax.run.workdir import read_classes


def predict(
    config: Config, workdir: Path, checkpoint: str, video: Path, top: int = 5
) -> list[tuple[str, float]]:
    """The likeliest classes of a video file, best first, with their probabilities.

    The video is brought into the form that the network was trained on and seen in the views of
    the run's evaluation.

    Args:
      config: the run's configuration.
      workdir: the run's directory.
      checkpoint: a step, `best` or `last`.
      video: a file.
      top: how many classes.

    Raises:
      ValueError: the checkpoint or the video cannot be read.
    """
    record = as_record(video, config)
    network = Network.of(config, read_classes(workdir))
    _, state = restore(network, workdir, checkpoint)
    views = network.views
    crops = np.stack([views.cut(record, clip) for clip in range(views.clips)])
    scores = np.asarray(jax.jit(network.probabilities)(state.variables, crops))
    probabilities = scores.mean(axis=(0, 1))
    order = np.argsort(-probabilities, kind="stable")[:top]
    return [(network.classes[k], float(probabilities[k])) for k in order]


def as_record(video: Path, config: Config) -> Record:
    """A video file in the stored form of a configuration's data set.

    Raises:
      DecodeError: the file cannot be decoded.
    """
    data = config.data
    encode = functools.partial(encode_jpeg, quality=data.quality)
    decoded = read_encoded(video, encode, fps=data.fps, short_side=data.short_side)
    return Record(jpegs=decoded.frames, label=-1, name=str(video), fps=decoded.fps)
