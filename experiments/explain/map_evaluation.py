"""Evaluates maps of a network: its clips, their masks, and the scores of maps."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np
from scipy import special

from vidjax.data import transforms
from vidjax.data.marionette import MarionetteSpec
from vidjax.data.marionette.generate import read_masks
from vidjax.data.prepared import VideoSource
from vidjax.data.record import Record
from vidjax.data.views import Views
from vidjax.explain import maps
from vidjax.explain.baseline_maps import BASELINES
from vidjax.explain.compiled_passes import features_pass, logits_pass
from vidjax.explain.layer_lookup import features_at
from vidjax.explain.map_measurements import Measured
from vidjax.explain.map_metrics import curves, energy, pointing
from vidjax.explain.map_selection import ChosenMap
from vidjax.explain.map_types import Progress
from vidjax.explain.saliency_map import saliency_map
from vidjax.explain.traced_network import TracedNetwork, trace_network
from vidjax.explain.upsampling import Size
from vidjax.run.config import Config
from vidjax.run.network import Network
from vidjax.storage.paths import as_path

from .explained_network import Subject

# Cells of a random map for a network without pooled features.
_FEW: Size = (4, 4, 4)


@dataclass(frozen=True)
class VideoClip:
    """A clip of a video, for which maps are computed.

    Attributes:
      name: name of the video.
      number: number of the video in its split.
      label: index of its class.
      clip: normalised frames, float32 `[T, H, W, 3]`.
      mask: True at the limbs that act, bool `[T, H, W]`; None if they are not known.
    """

    name: str
    number: int
    label: int
    clip: np.ndarray = field(repr=False)
    mask: np.ndarray | None = field(repr=False)


@dataclass(frozen=True)
class Drawn:
    """A map of a clip, with the passes and seconds that it took."""

    volume: np.ndarray
    cells: str
    passes: int
    seconds: float


@dataclass(frozen=True)
class MapEvaluation:
    """A trained network and the videos that its maps are evaluated on.

    Attributes:
      name: its name on the command line.
      network: the network with its configuration.
      variables: its variables.
      videos: videos of the evaluation split.
      numbers: numbers of the videos to use.
      about: data set, split, clip size and step, which results must share.
    """

    name: str
    network: Network
    variables: Any
    videos: VideoSource
    numbers: tuple[int, ...]
    about: str

    @classmethod
    def open(
        cls,
        subject: Subject,
        most: int | None,
        progress: Callable[[str, int, int], None],
        mapping: Mapping[str, str] | None,
    ) -> MapEvaluation:
        """Opens a network and its videos.

        Args:
          subject: the network.
          most: number of videos to use, spread over the split; None is all.
          progress: shows how the videos are prepared.
          mapping: the network's class for each label of the videos.

        Raises:
          ValueError: a video may have several labels, or the data set does not fit.
        """
        subject.require_single_label("faithfulness needs one")
        experiment = subject.open(progress, mapping=mapping)
        config, trained = experiment.config, subject.trained
        videos = experiment.split(config.eval.split)
        count = min(len(videos), most or len(videos))
        numbers = np.linspace(0, len(videos) - 1, count).astype(int)
        clip = "x".join(map(str, trained.preprocessing.clip_shape[:3]))
        step = "" if trained.step is None else f", step {trained.step}"
        about = f"{config.data.name}, {config.eval.split}, clips of {clip}{step}"
        found = tuple(map(int, numbers))
        # A run's arrays are on devices and random ones are not, so all passes would compile twice.
        variables = jax.device_get(trained.variables)
        return cls(subject.name, experiment.network, variables, videos, found, about)

    @property
    def traced(self) -> TracedNetwork:
        """The network, traced for its clips."""
        clip = jax.ShapeDtypeStruct((1, *self._clip_shape), np.float32)
        return trace_network(self.network.module, self.variables, clip)

    @property
    def _clip_shape(self) -> tuple[int, int, int, int]:
        """Shape `[T, H, W, 3]` of the clips that are cut from videos."""
        views = self.network.views
        return (views.shape.frames, views.size, views.size, 3)

    def clips(self) -> Iterator[VideoClip]:
        """Yields the middle clip of each video, as in evaluation; skips damaged videos."""
        views = dataclasses.replace(self.network.views, clips=1, crops=1)
        for number in self.numbers:
            record = self.videos[number]
            # A damaged record may have no label.
            if not isinstance(record.label, int) or record.label < 0:
                continue
            (frames,) = views.cut(record, 0)
            clip = transforms.normalize(frames[None], self.network.mean, self.network.std)[0]
            mask = _mask(self.network.config, record, views)
            yield VideoClip(record.name, number, record.label, np.asarray(clip), mask)

    def fits(self, chosen: ChosenMap) -> bool:
        """Returns whether a map can be computed for this network."""
        return chosen.is_baseline or maps.named(chosen.name).fits(self.traced)

    def draw(
        self,
        chosen: ChosenMap,
        video_clip: VideoClip,
        progress: Progress | None = None,
        variables: Any = None,
    ) -> Drawn:
        """Computes a map of a clip for its class.

        Args:
          chosen: the map.
          video_clip: the clip.
          progress: shows how far a map with many passes is.
          variables: other variables for the network; None uses its own.
        """
        begun = time.perf_counter()
        if chosen.is_baseline:
            rng = np.random.default_rng((self.network.config.seed, video_clip.number))
            volume = BASELINES[chosen.name].draw(video_clip.clip, self._cells(), rng)
            return Drawn(volume, "", 0, time.perf_counter() - begun)
        found = saliency_map(
            self.network.module,
            self.variables if variables is None else variables,
            video_clip.clip,
            video_clip.label,
            chosen.name,
            progress=progress,
            **chosen.settings,
        )
        return Drawn(found.volume, found.resolution, found.passes, found.seconds)

    def measure(
        self, chosen: ChosenMap, video_clip: VideoClip, steps: int, progress: Progress | None = None
    ) -> Measured:
        """Computes a map and measures it."""
        drawn = self.draw(chosen, video_clip, progress)
        deletion, insertion = curves(drawn.volume, steps, self._score(video_clip))
        masked: dict[str, float] = {}
        if video_clip.mask is not None:
            masked["pointing"] = pointing(drawn.volume, video_clip.mask)
            masked["energy"] = energy(drawn.volume, video_clip.mask)
            masked["area"] = float(video_clip.mask.mean())
        return Measured(
            run=self.name,
            video=video_clip.name,
            map=chosen.text,
            cells=drawn.cells,
            deletion=deletion.tolist(),
            insertion=insertion.tolist(),
            passes=drawn.passes,
            seconds=round(drawn.seconds, 6),
            **masked,
        )

    def fresh(self) -> Any:
        """Returns fresh random variables of the network, from another seed."""
        clip = np.zeros((1, *self.network.clip_shape), np.float32)
        key = jax.random.key(self.network.config.seed + 1)
        init = jax.jit(lambda key: self.network.module.init(key, clip, train=False))
        return jax.device_get(init(key))

    def _cells(self) -> list[Size]:
        """Returns the sizes of the features that are pooled, or a default if none are."""
        network = self.traced
        if not network.graph.pooled:
            return [_FEW]
        run = features_pass(network, features_at(network.graph))
        shape = jax.ShapeDtypeStruct((1, *self._clip_shape), np.float32)
        _, features = jax.eval_shape(run, self.variables, shape)
        return [own.shape[1:] for own in features]

    def _score(self, video_clip: VideoClip) -> Callable[[np.ndarray], np.ndarray]:
        """Returns a function from masks to blank, `[N, T, H, W]`, to the class's probabilities."""
        run = logits_pass(self.traced)

        def score(places: np.ndarray) -> np.ndarray:
            # Zero is the mean colour of the training data.
            clips = np.where(places[..., None], np.float32(0), video_clip.clip)
            logits = np.asarray(run(self.variables, clips), np.float64)
            return special.softmax(logits, axis=-1)[:, video_clip.label]

        return score


def _mask(config: Config, record: Record, views: Views) -> np.ndarray | None:
    """Returns the mask of a view's frames, cropped like them; None if the data set has none."""
    if config.data.name != "marionette":
        return None
    masks = read_masks(_folder(config) / record.name)
    (indices,) = views.shape.view_indices(record.length, 1)
    # A frame before the start of the video is black and has an empty mask.
    wanted = masks[np.maximum(indices, 0)] & (indices >= 0)[:, None, None]
    pictures = np.repeat(wanted[..., None], 3, axis=-1).astype(np.uint8) * 255
    sized = views.resized(pictures)
    (box,) = transforms.spatial_views(sized, views.size, 1)
    return transforms.crop(sized, box)[..., 0] > 127


def _folder(config: Config) -> Path:
    spec = MarionetteSpec(**config.data.options)
    return as_path(config.data.data_dir) / "marionette_videos" / spec.tag


@dataclass(frozen=True)
class Task:
    """All that one command measures.

    Attributes:
      evaluations: the trained networks.
      drawn: maps that can be computed for each of them.
      networks: names of the runs of each network; these differ only in their seed.
      titles: titles of the maps in tables and pictures.
    """

    evaluations: Sequence[MapEvaluation]
    drawn: Mapping[str, Sequence[ChosenMap]]
    networks: Mapping[str, Sequence[str]]
    titles: Mapping[str, str]
