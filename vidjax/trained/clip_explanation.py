"""Explains what a trained network sees in a clip of a video file."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from vidjax.explain.captioned_map import CaptionedMap, cost, resolution
from vidjax.explain.class_feature_pyramids import Pyramid, class_feature_pyramid
from vidjax.explain.html_page import TUBE, Panel
from vidjax.explain.map_resolution import finer_layer, is_coarse
from vidjax.explain.regularized_tubes import name_of, stage_tubes
from vidjax.explain.saliency_map import sum_upsampled
from vidjax.explain.saliency_tubes import SaliencyTube, check_mode, saliency_tube
from vidjax.explain.source_video import SourceVideo
from vidjax.explain.traced_network import trace_network
from vidjax.explain.upsampling import CUBIC
from vidjax.models.model_list import model_card
from vidjax.trained.clip_location import locate
from vidjax.trained.trained_network import Trained
from vidjax.trained.video_record import as_record
from vidjax.untrusted_names import nearest

# Default threshold of the commands' tubes; docs/explaining.md has the measurement.
TAU = 0.5
# Cost of a tube in forward passes; a gradient counts as two.
_PASSES = 3
_TOP = 5


@dataclass(frozen=True)
class OpenClip:
    """A network and the central crop of a video's middle clip.

    Attributes:
      trained: the network.
      frames: uint8 `[T, S, S, 3]`, cropped as in the network's evaluation.
      fps: frames per second of the clip, after its stride.
      times: time of each frame in seconds from the start of the video, float64 `[T]`; -1 for black
        frames.
      footage: the video that the clip was cut from, if known.
    """

    trained: Trained
    frames: np.ndarray
    fps: float
    times: np.ndarray | None = None
    footage: SourceVideo | None = None

    @property
    def clip(self) -> jax.Array:
        """The network's input, `[1, T, S, S, 3]`."""
        return jax.numpy.asarray(self.trained.preprocessing.normalized(self.frames[None]))

    @property
    def shown(self) -> SourceVideo:
        """The video, or the clip itself if the video is unknown."""
        return self.footage or SourceVideo.of_clip(self.frames, self.fps)

    @property
    def seconds(self) -> np.ndarray:
        """Times of frames, float64 `[T]`, from the clip's first one if the video is unknown."""
        return np.arange(len(self.frames)) / self.fps if self.times is None else self.times

    def index_of(self, label: str | None) -> int | None:
        """Returns the index of a class.

        Raises:
          ValueError: the class does not exist.
        """
        classes = self.trained.labels
        if label is not None and label not in classes:
            raise ValueError(f"class {label!r} is unknown: {nearest(label, classes)}")
        return None if label is None else classes.index(label)

    def chances(self, logits: np.ndarray) -> np.ndarray:
        """Converts logits `[K]` to probabilities."""
        return np.asarray(self.trained.chances(jax.numpy.asarray(logits)))

    def best(self, logits: np.ndarray) -> list[tuple[str, float]]:
        """Returns the most likely classes with their probabilities, best first."""
        chances = self.chances(logits)
        order = np.argsort(-chances, kind="stable")[:_TOP]
        return [(self.trained.labels[index], float(chances[index])) for index in order]

    @property
    def facts(self) -> dict[str, str]:
        """Describes the network, for a page."""
        trained = self.trained
        step = {} if trained.step is None else {"checkpoint": f"step {trained.step}"}
        return {"network": trained.name, "weights": trained.source, **step}


@dataclass(frozen=True)
class Explanation:
    """The explanation of a clip.

    Attributes:
      label: name of the class.
      probability: probability of the class, according to the network.
      frames: frames of the clip, uint8 `[T, S, S, 3]`.
      tube: saliency tube of the class.
      stages: tubes by stage, for networks with Class Regularization.
      pyramid: class feature pyramid of the class, if one was requested.
      opened: the network and the clip, if known.
      seconds: time to compute the tube, including compilation if there was one.
      tau: threshold of the tubes.
      degree: degree of the splines that enlarge tubes; None is the paper's.
      finer: an earlier layer with more cells, if the tube has few.
    """

    label: str
    probability: float
    frames: np.ndarray
    tube: SaliencyTube
    stages: dict[str, SaliencyTube]
    pyramid: Pyramid | None = None
    opened: OpenClip | None = None
    seconds: float = 0.0
    tau: float | None = None
    degree: int | None = CUBIC
    finer: str | None = None

    @property
    def title(self) -> str:
        """The class and its probability."""
        return f"{self.label} ({self.probability:.1%})"

    @property
    def shown(self) -> SourceVideo:
        """The video, or the clip itself if the video is unknown."""
        return self.opened.shown if self.opened else SourceVideo.of_clip(self.frames, self.fps)

    @property
    def fps(self) -> float:
        """Frames per second of the clip; 10 if unknown."""
        return self.opened.fps if self.opened else 10.0

    @property
    def note(self) -> str:
        """A warning about a tube that is too coarse to locate anything; empty if there is none."""
        sizes = ", ".join("x".join(map(str, low.shape)) for low in self.tube.low)
        if not self.tube.volume.any():
            return (
                f"the tube is empty: features of {sizes} before pooling locate nothing; use larger "
                "clips for larger features"
            )
        return few_cells(self.tube.low, self.frames.shape[:3], self.finer)

    @property
    def stage_volumes(self) -> dict[str, np.ndarray]:
        """The stages' tubes `[T, H, W]` in [0, 1], by short name."""
        return {name_of(place): tube.volume for place, tube in self.stages.items()}

    @property
    def tubes(self) -> list[CaptionedMap]:
        """The tube, and the tubes of the stages, ready to be drawn."""
        kept = () if self.tau is None else (f"tau {self.tau:g}",)
        form = () if self.tube.mode == "thesis" else ("plain sum (CAM)",)
        of_class = f"{self.label} {self.probability:.1%}"
        taken = cost(_PASSES, self.seconds) if self.seconds else ""
        facts = (of_class, resolution(self.tube.low), *form, *kept, taken)
        stages = [
            CaptionedMap(
                f"{TUBE}, {name_of(place)}", own.volume, (of_class, resolution(own.low), *kept)
            )
            for place, own in self.stages.items()
        ]
        return [CaptionedMap(TUBE, self.tube.volume, facts), *stages]

    @property
    def layers(self) -> list[CaptionedMap]:
        """The tube, and the layers of the pyramid, ready to be drawn."""
        assert self.pyramid
        found = self.tubes[:1]
        for layer in self.pyramid.layers:
            if layer.maps is not None:
                cells = (np.tensordot(layer.counts, layer.maps, 1),)
                volume = sum_upsampled(cells, self.pyramid.size, self.degree)
                kept = f"{len(layer.kernels)} kernel{'s' * (len(layer.kernels) != 1)}"
                facts = (f"level {layer.level}", kept, resolution(cells))
                found.append(CaptionedMap(layer.name, volume, facts))
        return found

    @property
    def _scores(self) -> list[tuple[str, float]]:
        if self.opened is None or self.tube.logits is None:
            return []
        return self.opened.best(self.tube.logits)

    def panel(self, title: str = "", *, kernels: bool = True) -> Panel:
        """Makes a panel for a page, with the pyramid's kernels or with tubes only."""
        tube, *stages = self.tubes
        captions = {own.title.removeprefix(f"{TUBE}, "): own.caption for own in (tube, *stages)}
        facts = self.opened.facts if self.opened else {}
        facts |= {"tau": "none" if self.tau is None else f"{self.tau:g}"}
        return Panel(
            title or self.title,
            self.frames,
            self.tube.volume,
            self.pyramid if kernels else None,
            self.stage_volumes,
            captions=captions,
            scores=self._scores,
            facts=facts,
        )


def few_cells(cells: Any, clip: tuple[int, ...], finer: str | None) -> str:
    """Describes a map that has few cells; empty if it has enough."""
    times, height, width = clip
    if not is_coarse([own.shape for own in cells], (times, height, width)):
        return ""
    told = f"The map has only {resolution(cells)}, too coarse to locate much."
    if not finer:
        return told
    return f"{told} For a finer map: vidjax explain --method=maps --layer={finer} ..."


def open_clip(trained: Trained, video: Path) -> OpenClip:
    """Opens the middle clip of a video for a network.

    Args:
      trained: the network.
      video: a file.

    Raises:
      ValueError: the video cannot be read, or the network takes optical flow.

    Examples:
      >>> import vidjax
      >>> from pathlib import Path
      >>> from vidjax.data.encode import write_mp4
      >>> from vidjax.data.marionette import render_video
      >>> from vidjax.run.config import from_mapping
      >>> from vidjax.trained.clip_explanation import explain_clip, open_clip
      >>> from vidjax.training.loop import train
      >>> settings = vidjax.configs.load("synthetic")("model=r3d_18")
      >>> settings.model.options = {"width": 4, "depths": (1, 0, 0, 0)}
      >>> settings.clip.update({"frames": 4, "size": 32})
      >>> settings.eval.update({"size": 32})
      >>> settings.train.duration = "1 steps"
      >>> _ = train(from_mapping(settings), Path("runs/mine"))
      >>> write_mp4("my.mp4", render_video("walk", size=(48, 64), fps=8), fps=8)
      >>> opened = open_clip(vidjax.open_run("runs/mine"), Path("my.mp4"))
      >>> explanation = explain_clip(opened, "brightness 1")
      >>> opened.frames.shape, explanation.tubes[0].volume.shape
      ((4, 32, 32, 3), (4, 32, 32))
    """
    preprocessing, views = trained.preprocessing, trained.preprocessing.views()
    preprocessing.require_frames("an explanation")
    record = as_record(video, preprocessing, views)
    (frames,) = views.cut(record, 0)
    (indices,) = views.shape.view_indices(record.length, 1)
    times = np.where(indices < 0, -1, indices / record.fps)
    footage = locate(video, preprocessing, indices, record.fps)
    return OpenClip(trained, frames, record.fps / preprocessing.stride, times, footage)


def explain_clip(
    opened: OpenClip,
    label: str | None = None,
    *,
    tube: dict[str, Any] | None = None,
    pyramid: dict[str, Any] | None = None,
    degree: int | None = CUBIC,
) -> Explanation:
    """Explains a clip by saliency tubes and, optionally, a class feature pyramid.

    Args:
      opened: a network and a clip.
      label: name of the class; None is the predicted one.
      tube: settings of `saliency_tube`.
      pyramid: settings of `class_feature_pyramid`; None computes no pyramid. The threshold defaults
        to that of the network's card.
      degree: degree of the splines that enlarge tubes; None is the paper's, as in
        `upsampling.degree_of`.

    Raises:
      ValueError: the class does not exist, or the network cannot be explained this way.
    """
    trained, index = opened.trained, opened.index_of(label)
    clip = opened.clip
    given, settings = (trained.model, trained.variables, clip), tube or {}
    check_mode(**{"mode": "thesis", "tau": None, **settings})
    grown = None
    if pyramid is not None:
        grown = class_feature_pyramid(*given, index, **with_theta(pyramid, trained.name))
    begun = time.perf_counter()
    found = saliency_tube(*given, index, **settings)
    seconds = time.perf_counter() - begun
    assert found.logits is not None
    chances = opened.chances(found.logits)
    stages = stage_tubes(*given, found.class_index, **settings)
    size = opened.frames.shape[:3]
    finer = None
    if is_coarse([low.shape for low in found.low], size):
        finer = finer_layer(trace_network(*given).graph, size)
    return Explanation(
        trained.labels[found.class_index],
        float(chances[found.class_index]),
        opened.frames,
        _enlarged(found, size, degree),
        {place: _enlarged(own, size, degree) for place, own in stages.items()},
        grown,
        opened,
        seconds,
        settings.get("tau"),
        degree,
        finer,
    )


def _enlarged(tube: SaliencyTube, size: Any, degree: int | None) -> SaliencyTube:
    if degree == CUBIC:
        return tube
    return dataclasses.replace(tube, volume=sum_upsampled(tube.low, size, degree))


def with_theta(settings: Mapping[str, Any], network: str) -> dict[str, Any]:
    """Adds the threshold of a network's card to a pyramid's settings, unless they have one."""
    if settings.get("threshold") is not None:
        return dict(settings)
    return {**settings, "threshold": model_card(network).theta}
