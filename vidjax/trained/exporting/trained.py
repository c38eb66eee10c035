"""A network with its weights, and what a program must know to feed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax

from vidjax.convert import folder
from vidjax.models.registry import create_model
from vidjax.run.config import Config
from vidjax.run.network import Network
from vidjax.run.restoring import restore
from vidjax.run.workdir import read_classes

Colours = tuple[float, float, float]


@dataclass(frozen=True)
class Trained:
    """A network with its weights.

    Attributes:
      name: of the network, as in `list_models()`.
      options: it was made with.
      module: the linen module.
      variables: `{"params": ..., "batch_stats": ...}`, NumPy arrays.
      clip: frames, height and width of what it sees.
      stride: distance of neighbouring frames in the video.
      sampling: how frames are taken from a video, as in `ClipShape`.
      short_side: that frames are resized to before the clip is cut from their centre, in pixels.
      fps: frame rate of the videos it was trained on; None is each video's own.
      mean: of the colours in [0, 1].
      std: of the colours in [0, 1].
      num_classes: number of logits.
      classes: their names; None where nobody knows them.
      source: where the weights are from.
      step: of the training that they are of; None where nobody knows it.
    """

    name: str
    options: Mapping[str, Any]
    module: nn.Module
    variables: Any
    clip: tuple[int, int, int]
    stride: int
    sampling: str
    short_side: int
    fps: float | None
    mean: Colours
    std: Colours
    num_classes: int
    classes: tuple[str, ...] | None
    source: str
    step: int | None


def of_run(config: Config, workdir: Path, checkpoint: str) -> Trained:
    """The network of a run, for clips as its evaluation cuts them.

    Args:
      config: the run's configuration.
      workdir: the run's directory.
      checkpoint: a step, `best` or `last`.

    Raises:
      ValueError: there is no run, or the checkpoint cannot be read.
    """
    network = Network.of(config, read_classes(workdir))
    step, state = restore(network, workdir, checkpoint)
    size = config.eval.size
    return Trained(
        name=config.model.name,
        options=config.model.options,
        module=network.module,
        variables=jax.device_get(state.variables),
        clip=(config.clip.frames, size, size),
        stride=config.clip.stride,
        sampling=config.clip.sampling,
        short_side=config.eval.short_side or size,
        fps=config.data.fps,
        mean=network.mean,
        std=network.std,
        num_classes=len(network.classes),
        classes=network.classes,
        source=f"run {workdir.name}",
        step=step,
    )


def of_weights(place: Path, clip: tuple[int, int, int] | None = None) -> Trained:
    """The network of a folder of converted weights.

    Args:
      place: a folder of `experiments.convert`.
      clip: frames, height and width; None is what the weights are known to be trained on.

    Raises:
      ValueError: there are no weights.
    """
    found = folder.read(place)
    frames, height, width = clip or found.clip
    return Trained(
        name=found.name,
        options=found.options,
        module=create_model(found.name, num_classes=found.num_classes, **found.options),
        variables=found.variables(),
        clip=(frames, height, width),
        stride=found.frame_stride,
        sampling="dense",
        short_side=min(height, width),
        fps=None,
        mean=found.mean,
        std=found.std,
        num_classes=found.num_classes,
        classes=None,
        source=found.source,
        step=None,
    )
