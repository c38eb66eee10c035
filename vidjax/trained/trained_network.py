"""A trained network: its weights and everything needed to run it, whoever trained it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from vidjax.data.views import Views
from vidjax.fast_compilation import fast_compile_on_cpu
from vidjax.storage.paths import as_path
from vidjax.trained.features import EMBEDDING, features
from vidjax.trained.prediction import Prediction
from vidjax.trained.preprocessing import Preprocessing
from vidjax.trained.video_record import as_record

Tree = dict[str, Any]


@dataclass(frozen=True)
class Weights:
    """Variables of a network, and the training step they are from, if known."""

    variables: Tree
    step: int | None = None


@dataclass(frozen=True)
class Trained:
    """A network with its weights.

    Attributes:
      name: name of the network, as in `list_models()`.
      options: arguments of `create_model` that it was made with.
      model: the linen module.
      num_classes: number of logits.
      preprocessing: the preprocessing from a video to its clips.
      source: origin of the weights, for messages.
      read: reads the weights; called once, on first access.
      classes: names of the classes, in the order of the logits; None if unknown.
      clips: clips per video, over which predictions are averaged.
      crops: crops per clip.
      multi_label: whether a clip may have several classes, each with a sigmoid of its own.
    """

    name: str
    options: Mapping[str, Any]
    model: nn.Module
    num_classes: int
    preprocessing: Preprocessing
    source: str
    read: Callable[[], Weights] = field(repr=False)
    classes: tuple[str, ...] | None = None
    clips: int = 1
    crops: int = 1
    multi_label: bool = False

    def __repr__(self) -> str:
        """Describes the network in a line; the fields have the whole module and all classes."""
        frames, size = self.preprocessing.frames, self.preprocessing.size
        clip = f"{frames}x{size}x{size}"
        return (
            f"<{type(self).__name__} {self.source}: {self.name}, {self.num_classes} classes, clips "
            f"of {clip}>"
        )

    @functools.cached_property
    def _weights(self) -> Weights:
        return self.read()

    @property
    def variables(self) -> Tree:
        """`{"params": ..., "batch_stats": ...}`, float32."""
        return self._weights.variables

    @property
    def step(self) -> int | None:
        """Training step of the weights; None if unknown."""
        return self._weights.step

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, or their indices if unknown."""
        return self.classes or tuple(f"class {index}" for index in range(self.num_classes))

    @property
    def views(self) -> Views:
        """The views of a video that are scored."""
        return self.preprocessing.views(self.clips, self.crops)

    def probabilities(self, variables: Any, crops: jax.Array) -> jax.Array:
        """Maps crops uint8 `[B, S, T, H, W, 3]` to probabilities float32 `[B, S, K]`."""
        flat = self.preprocessing.normalized(crops.reshape(-1, *crops.shape[2:]))
        logits = self.model.apply(variables, flat, train=False)
        return self.chances(logits).reshape(*crops.shape[:2], -1)

    @property
    def scale(self) -> str:
        """The function from logits to probabilities: `softmax`, or `sigmoid` for several labels."""
        return "sigmoid" if self.multi_label else "softmax"

    def chances(self, logits: jax.Array) -> jax.Array:
        """Converts logits `[..., K]` to probabilities, float32, by softmax or sigmoid."""
        scale = jax.nn.sigmoid if self.multi_label else jax.nn.softmax
        return scale(logits.astype(jnp.float32))

    def score(self, crops: Any) -> jax.Array:
        """Computes `probabilities` with these weights; compiled once per shape.

        Args:
          crops: uint8 `[B, S, T, H, W, 3]`.
        """
        return self._probabilities(self.variables, crops)

    @functools.cached_property
    def _probabilities(self) -> Callable[..., jax.Array]:
        return jax.jit(self.probabilities)

    @functools.cached_property
    def _probabilities_once(self) -> Callable[..., jax.Array]:
        """The same for a single call, whose compiling takes longer than its computing."""
        return jax.jit(self.probabilities, compiler_options=fast_compile_on_cpu())

    def predict(
        self,
        video: str | Path,
        top: int = 5,
        *,
        start: float | None = None,
        end: float | None = None,
    ) -> list[tuple[str, float]]:
        """Predicts the most likely classes of a video file, with probabilities, best first.

        Args:
          video: a file.
          top: how many classes to return.
          start: start of the piece in seconds from the first frame; None is 0.
          end: end of the piece in seconds, exclusive; None is the end of the video.

        Raises:
          ValueError: the weights or the video cannot be read.
        """
        return self.prediction(video, start=start, end=end).top(self.labels, top)

    def prediction(
        self,
        video: str | Path,
        *,
        start: float | None = None,
        end: float | None = None,
        once: bool = False,
    ) -> Prediction:
        """Predicts a video file, with the probabilities of all classes.

        The video is preprocessed as in training and seen in the network's views.

        Args:
          video: a file.
          start: start of the piece in seconds from the first frame; None is 0.
          end: end of the piece in seconds, exclusive; None is the end of the video.
          once: compile with fewer optimizations on a CPU, which pays for a single video.

        Raises:
          ValueError: the weights or the video cannot be read.
        """
        views = self.views
        record = as_record(as_path(video), self.preprocessing, views, start=start, end=end)
        crops = np.stack([views.cut(record, clip) for clip in range(views.clips)])
        compute = self._probabilities_once if once else self._probabilities
        mean = np.asarray(compute(self.variables, crops)).mean(axis=(0, 1))
        return Prediction(start or 0.0, end, mean)

    def features(self, crops: Any, layer: str = EMBEDDING, *, pooled: bool = True) -> jax.Array:
        """Computes features of crops as cut from a video; compiled once per shape and layer.

        Args:
          crops: uint8 `[..., T, H, W, 3]`, not normalised.
          layer: as in `vidjax.trained.features.features`.
          pooled: whether to average over time and space.

        Returns:
          float32 `[..., C]`; for a stage without pooling, `[..., T', H', W', C]`.

        Raises:
          ValueError: the network has no such layer, or the crops have the wrong shape.
        """
        return self._features(self.variables, crops, layer=layer, pooled=pooled)

    @functools.cached_property
    def _features(self) -> Callable[..., jax.Array]:
        def of_crops(variables: Any, crops: jax.Array, layer: str, pooled: bool) -> jax.Array:
            clips = self.preprocessing.normalized(crops.reshape(-1, *crops.shape[-4:]))
            found = features(self.model, variables, clips, layer, pooled=pooled)
            return found.reshape(*crops.shape[:-4], *found.shape[1:])

        return jax.jit(of_crops, static_argnames=("layer", "pooled"))
