"""A network with its weights, and what must be known to feed it: one thing, whoever trained it."""

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
from vidjax.haste import in_haste
from vidjax.storage.paths import as_path
from vidjax.trained.as_stored import as_record
from vidjax.trained.features import EMBEDDING, features
from vidjax.trained.prediction import Prediction
from vidjax.trained.preprocessing import Preprocessing

Tree = dict[str, Any]


@dataclass(frozen=True)
class Weights:
    """Variables of a network, and the step of the training that they are of, if it is known."""

    variables: Tree
    step: int | None = None


@dataclass(frozen=True)
class Trained:
    """A network with its weights.

    Attributes:
      name: of the network, as in `list_models()`.
      options: it was made with, as in `create_model`.
      model: the linen module.
      num_classes: number of logits.
      preprocessing: how a video becomes a clip for it.
      source: where the weights are from, for people.
      read: reads the weights; they are read once, when they are first asked for.
      classes: names of the logits; None where nobody knows them.
      clips: clips of a video that its predictions are averaged over.
      crops: crops of each.
      multi_label: whether a clip may have several classes: each logit is a yes or no of its own.
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

    @functools.cached_property
    def _weights(self) -> Weights:
        return self.read()

    @property
    def variables(self) -> Tree:
        """`{"params": ..., "batch_stats": ...}`, float32."""
        return self._weights.variables

    @property
    def step(self) -> int | None:
        """Step of the training that the weights are of; None where nobody knows it."""
        return self._weights.step

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, or their numbers where nobody knows them."""
        return self.classes or tuple(f"class {index}" for index in range(self.num_classes))

    @property
    def views(self) -> Views:
        """Which views of a video are scored."""
        return self.preprocessing.views(self.clips, self.crops)

    def probabilities(self, variables: Any, crops: jax.Array) -> jax.Array:
        """Crops uint8 `[B, S, T, H, W, 3]` to probabilities float32 `[B, S, K]`."""
        flat = self.preprocessing.normalized(crops.reshape(-1, *crops.shape[2:]))
        logits = self.model.apply(variables, flat, train=False)
        return self.chances(logits).reshape(*crops.shape[:2], -1)

    @property
    def scale(self) -> str:
        """What makes logits probabilities: `softmax`, or `sigmoid` of each class by itself."""
        return "sigmoid" if self.multi_label else "softmax"

    def chances(self, logits: jax.Array) -> jax.Array:
        """Logits `[..., K]` as probabilities float32: of one class, or of each by itself."""
        scale = jax.nn.sigmoid if self.multi_label else jax.nn.softmax
        return scale(logits.astype(jnp.float32))

    def score(self, crops: Any) -> jax.Array:
        """`probabilities` of these weights; compiled once a shape.

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
        return jax.jit(self.probabilities, compiler_options=in_haste())

    def predict(
        self,
        video: str | Path,
        top: int = 5,
        *,
        start: float | None = None,
        end: float | None = None,
    ) -> list[tuple[str, float]]:
        """The likeliest classes of a video file, best first, with their probabilities.

        Args:
          video: a file.
          top: how many classes.
          start: seconds from the first frame, of a piece; None is 0.
          end: seconds, exclusive; None is the end.

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
        """What the network says of a video file, in all of its classes.

        The video is brought into the form that the network was trained on and seen in its views.

        Args:
          video: a file.
          start: seconds from the first frame, of a piece; None is 0.
          end: seconds, exclusive; None is the end.
          once: on a CPU, compile the network in haste where that is sooner done with one video.

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
        """Features of crops as they are cut from a video; compiled once a shape and layer.

        Args:
          crops: uint8 `[..., T, H, W, 3]`, not normalised.
          layer: as in `vidjax.trained.features.features`.
          pooled: average over time and space.

        Returns:
          float32 `[..., C]`; of a stage `[..., T', H', W', C]` where it is not pooled.

        Raises:
          ValueError: the network has no such layer, or the crops have another shape.
        """
        return self._features(self.variables, crops, layer=layer, pooled=pooled)

    @functools.cached_property
    def _features(self) -> Callable[..., jax.Array]:
        def of_crops(variables: Any, crops: jax.Array, layer: str, pooled: bool) -> jax.Array:
            clips = self.preprocessing.normalized(crops.reshape(-1, *crops.shape[-4:]))
            found = features(self.model, variables, clips, layer, pooled=pooled)
            return found.reshape(*crops.shape[:-4], *found.shape[1:])

        return jax.jit(of_crops, static_argnames=("layer", "pooled"))
