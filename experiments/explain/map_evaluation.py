"""A network on the bench of truth: its clips, what their masks are, and how its maps score."""

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

# Cells of a random map of a network that pools nothing.
_FEW: Size = (4, 4, 4)


@dataclass(frozen=True)
class Filmed:
    """The clip of a video that maps are drawn of.

    Attributes:
      name: of the video.
      number: of the video in its split.
      label: its class.
      clip: normalised, float32 `[T, H, W, 3]`.
      mask: where what makes the action is, bool `[T, H, W]`; None where nobody knows.
    """

    name: str
    number: int
    label: int
    clip: np.ndarray = field(repr=False)
    mask: np.ndarray | None = field(repr=False)


@dataclass(frozen=True)
class Drawn:
    """A map of a clip, and what it took."""

    volume: np.ndarray
    cells: str
    passes: int
    seconds: float


@dataclass(frozen=True)
class Bench:
    """A trained network and the videos that it is measured on.

    Attributes:
      name: as the command line names it.
      network: with its configuration.
      variables: of it.
      videos: of the evaluation split.
      numbers: which of them.
      about: what else decides what is measured, in words.
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
    ) -> Bench:
        """Opens a network and its videos.

        Args:
          subject: the network.
          most: so many videos, spread over the split; None is all.
          progress: of preparing the videos.
          mapping: what labels of the videos are called among the network's classes.

        Raises:
          ValueError: a video may have several labels, or the data set does not fit.
        """
        if subject.trained.multi_label or subject.config.data.multi_label:
            raise ValueError(
                f"{subject.name} has several labels a video (data.multi_label = True): truth is "
                "measured of one class; explain it with --method=tubes or pyramid"
            )
        experiment = subject.open(progress, mapping=mapping)
        config, trained = experiment.config, subject.trained
        videos = experiment.split(config.eval.split)
        count = min(len(videos), most or len(videos))
        numbers = np.linspace(0, len(videos) - 1, count).astype(int)
        clip = "x".join(map(str, trained.preprocessing.clip_shape[:3]))
        step = "" if trained.step is None else f", step {trained.step}"
        about = f"{config.data.name}, {config.eval.split}, clips of {clip}{step}"
        found = tuple(map(int, numbers))
        # Arrays of a run lie on devices and random ones do not: passes would be compiled for both.
        variables = jax.device_get(trained.variables)
        return cls(subject.name, experiment.network, variables, videos, found, about)

    @property
    def kind(self) -> tuple[Any, ...]:
        """What runs of one network that differ in their seed have in common."""
        config = dataclasses.replace(self.network.config, seed=0)
        data = dataclasses.replace(config.data, data_dir="")
        return (str(dataclasses.replace(config, data=data)), self.numbers)

    @property
    def traced(self) -> TracedNetwork:
        """The network, read for its clips."""
        clip = jax.ShapeDtypeStruct((1, *self._clip_shape), np.float32)
        return trace_network(self.network.module, self.variables, clip)

    @property
    def _clip_shape(self) -> tuple[int, int, int, int]:
        """`[T, H, W, 3]` of what is cut from videos."""
        views = self.network.views
        return (views.shape.frames, views.size, views.size, 3)

    def films(self) -> Iterator[Filmed]:
        """The middle of each video, as evaluation sees it; damaged ones are left out."""
        views = dataclasses.replace(self.network.views, clips=1, crops=1)
        for number in self.numbers:
            record = self.videos[number]
            # A damaged record may not know its label.
            if not isinstance(record.label, int) or record.label < 0:
                continue
            (frames,) = views.cut(record, 0)
            clip = transforms.normalize(frames[None], self.network.mean, self.network.std)[0]
            mask = _mask(self.network.config, record, views)
            yield Filmed(record.name, number, record.label, np.asarray(clip), mask)

    def fits(self, chosen: ChosenMap) -> bool:
        """Whether a map can be drawn of this network."""
        return chosen.is_baseline or maps.named(chosen.name).fits(self.traced)

    def draw(
        self,
        chosen: ChosenMap,
        film: Filmed,
        progress: Progress | None = None,
        variables: Any = None,
    ) -> Drawn:
        """A map of a clip for its class.

        Args:
          chosen: the map.
          film: the clip.
          progress: of a map of many passes.
          variables: other ones of the same network; None is its own.
        """
        begun = time.perf_counter()
        if chosen.is_baseline:
            rng = np.random.default_rng((self.network.config.seed, film.number))
            volume = BASELINES[chosen.name].draw(film.clip, self._cells(), rng)
            return Drawn(volume, "", 0, time.perf_counter() - begun)
        found = saliency_map(
            self.network.module,
            self.variables if variables is None else variables,
            film.clip,
            film.label,
            chosen.name,
            progress=progress,
            **chosen.settings,
        )
        return Drawn(found.volume, found.resolution, found.passes, found.seconds)

    def measure(
        self, chosen: ChosenMap, film: Filmed, steps: int, progress: Progress | None = None
    ) -> Measured:
        """Draws a map and measures it."""
        drawn = self.draw(chosen, film, progress)
        deletion, insertion = curves(drawn.volume, steps, self._score(film))
        masked: dict[str, float] = {}
        if film.mask is not None:
            masked["pointing"] = pointing(drawn.volume, film.mask)
            masked["energy"] = energy(drawn.volume, film.mask)
            masked["area"] = float(film.mask.mean())
        return Measured(
            run=self.name,
            video=film.name,
            map=chosen.text,
            cells=drawn.cells,
            deletion=deletion.tolist(),
            insertion=insertion.tolist(),
            passes=drawn.passes,
            seconds=round(drawn.seconds, 6),
            **masked,
        )

    def fresh(self) -> Any:
        """Variables of the network as before training, of another seed."""
        clip = np.zeros((1, *self.network.clip_shape), np.float32)
        key = jax.random.key(self.network.config.seed + 1)
        init = jax.jit(lambda key: self.network.module.init(key, clip, train=False))
        return jax.device_get(init(key))

    def _cells(self) -> list[Size]:
        """Sizes of what is pooled; of a few cells of the clip where nothing is."""
        network = self.traced
        if not network.anatomy.pooled:
            return [_FEW]
        run = features_pass(network, features_at(network.anatomy))
        shape = jax.ShapeDtypeStruct((1, *self._clip_shape), np.float32)
        _, features = jax.eval_shape(run, self.variables, shape)
        return [own.shape[1:] for own in features]

    def _score(self, film: Filmed) -> Callable[[np.ndarray], np.ndarray]:
        """From places to blank, `[N, T, H, W]`, to the class's probabilities."""
        run = logits_pass(self.traced)

        def score(places: np.ndarray) -> np.ndarray:
            # Zero is the mean colour of what the network was trained on.
            clips = np.where(places[..., None], np.float32(0), film.clip)
            logits = np.asarray(run(self.variables, clips), np.float64)
            return special.softmax(logits, axis=-1)[:, film.label]

        return score


def _mask(config: Config, record: Record, views: Views) -> np.ndarray | None:
    """The mask in the view's frames, cut as they are; None where the data set has none."""
    if config.data.name != "marionette":
        return None
    masks = read_masks(_folder(config) / record.name)
    (indices,) = views.shape.view_indices(record.length, 1)
    # A frame before the beginning is black, and has no mask.
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
    """What is measured.

    Attributes:
      benches: the trained networks.
      drawn: maps that can be drawn of each.
      networks: names of the runs of each network, which differ in their seed.
      titles: how maps are written.
    """

    benches: Sequence[Bench]
    drawn: Mapping[str, Sequence[ChosenMap]]
    networks: Mapping[str, Sequence[str]]
    titles: Mapping[str, str]
