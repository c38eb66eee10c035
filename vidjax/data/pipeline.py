"""Batches of clips from a prepared split: deterministic, resumable, sharded by process.

Batch number k depends on (seed, k) alone. Shuffling is an index permutation drawn anew for each
epoch, and every clip's randomness comes from its position in that order, so that nothing needs
replaying after a restart, whatever the number of threads.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grain
import numpy as np

from vidjax.data import extra_augmentations, transforms
from vidjax.data import sampling as frame_sampling
from vidjax.data.prepared import VideoSource, channels_of
from vidjax.data.record import Record
from vidjax.data.targets import Targets
from vidjax.data.thesis_augmentation.draw import Chain, Draw, nothing
from vidjax.data.thesis_augmentation.host import apply_on_host
from vidjax.data.video_sampler import ordered
from vidjax.settings import boolean, check, number, one_of, rising, shown, whole
from vidjax.terminal import complain

Batch = dict[str, Any]
Shapes = dict[str, tuple[tuple[int, ...], np.dtype]]
SAMPLINGS = ("dense", "normal_start", "normal_spread", "segments", "still")
CROPS = ("area", "fixed", "padded")
_ONE_LABEL = Targets()
# Far above any clip or picture in use, and low enough that arithmetic on them does not overflow.
MOST_FRAMES = 65_536
LARGEST_SIZE = 16_384
CLIP = {
    "frames": whole(1, MOST_FRAMES),
    "stride": whole(1, MOST_FRAMES),
    "size": whole(1, LARGEST_SIZE),
    "short": one_of(*frame_sampling.POLICIES, "repeat"),
    "sampling": one_of(*SAMPLINGS),
    "fit": boolean(),
}
AUGMENT = {
    "scale": rising(number(above=0, most=1)),
    "ratio": rising(number(above=0, most=1000)),
    "flip": number(0, 1),
    "color": number(0, 1),
    "chain": number(0, 1),
    "member": number(0, 1),
    "crop": one_of(*CROPS),
    "short_side": whole(0, LARGEST_SIZE),
    "device": boolean(),
    "flip_sided": boolean(),
    "also": extra_augmentations.ALSO,
}


@dataclass(frozen=True)
class ClipShape:
    """What a clip is.

    Attributes:
      frames: number of frames T.
      stride: distance of neighbouring frames in the stored video.
      size: height and width in pixels.
      short: policy for videos with too few frames: `loop`, `hold`, `pad`, or `repeat` (one frame,
        in training a random one, is the whole clip, as in the thesis' released code).
      sampling: `dense` (T frames a stride apart), `normal_start` (the same, in training from a
        start around a quarter of the video), `normal_spread` (from such a start on to random
        frames after it), `segments` (one of each of T equal parts), or `still` (one frame held T
        times, for measuring what a single frame tells).
      fit: where a video is too short, make the stride smaller before that policy counts.
    """

    frames: int = 16
    stride: int = 2
    size: int = 112
    short: str = "loop"
    sampling: str = "dense"
    fit: bool = False

    def __post_init__(self) -> None:
        check(vars(self), CLIP, "clip.")

    def train_indices(self, rng: np.random.Generator, num_frames: int) -> np.ndarray:
        """Frame indices [T] of a training clip."""
        if self.sampling == "still":
            return np.full(self.frames, rng.integers(num_frames))
        if self.sampling == "segments":
            return frame_sampling.segment_clip(rng, num_frames, self.frames)
        if self.sampling == "normal_spread":
            return frame_sampling.normal_spread_clip(rng, num_frames, self.frames)
        stride, short = self._fitted(num_frames)
        if short == "repeat":
            return np.full(self.frames, rng.integers(num_frames))
        draw = frame_sampling.random_clip
        if self.sampling == "normal_start":
            draw = frame_sampling.normal_start_clip
        return draw(rng, num_frames, self.frames, stride, short)

    def _fitted(self, num_frames: int) -> tuple[int, str]:
        """Stride, and policy, `repeat` only where it counts."""
        stride = self.stride
        if self.fit:
            stride = frame_sampling.fitting_stride(num_frames, self.frames, stride)
        fits = stride * (self.frames - 1) < num_frames
        return stride, "loop" if fits and self.short == "repeat" else self.short

    def view_indices(self, num_frames: int, views: int) -> np.ndarray:
        """Frame indices [views, T] of the evaluation clips of one video."""
        if self.sampling == "still":
            middle = frame_sampling.view_clips(num_frames, 1, 1, views)
            return np.repeat(middle, self.frames, axis=1)
        if self.sampling == "segments":
            return np.tile(frame_sampling.segment_clip(None, num_frames, self.frames), (views, 1))
        stride, short = self._fitted(num_frames)
        if short == "repeat":
            middle = frame_sampling.view_clips(num_frames, 1, 1, views)
            return np.repeat(middle, self.frames, axis=1)
        return frame_sampling.view_clips(num_frames, self.frames, stride, views, short)


@dataclass(frozen=True)
class Augmentation:
    """What training may change of a clip; one draw holds for all its frames.

    Attributes:
      scale: range of an area crop's share of the frame's area.
      ratio: range of an area crop's width over its height.
      flip: probability of mirroring left and right; 0 where labels tell left from right.
      color: strength of brightness, contrast and saturation changes, up to 1; 0 leaves colours
        alone.
      chain: probability of the chain of `vidjax.data.thesis_augmentation`; 0 is off.
      member: probability of each member of the chain.
      crop: `area`, of random area and shape and resized to the clip's size, `fixed`, a random
        crop of that size, or `padded`, a random crop of that size from frames of that short side
        with a black border of an eighth of it; smaller frames are enlarged.
      short_side: that frames have before a fixed crop, in pixels; 0 leaves them as stored.
      device: chain and mirroring are left to the training step, on the devices.
      flip_sided: mirror even where labels tell left from right.
      also: augmentations by name with their settings, applied after everything else, in this
        order.
    """

    scale: tuple[float, float] = (0.5, 1.0)
    ratio: tuple[float, float] = (0.75, 1.3333)
    flip: float = 0.5
    color: float = 0.0
    chain: float = 0.0
    member: float = 0.4
    crop: str = "area"
    short_side: int = 0
    device: bool = False
    flip_sided: bool = False
    also: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(vars(self), AUGMENT, "augment.")
        if self.short_side and self.crop != "fixed":
            raise ValueError(
                f"augment.short_side = {self.short_side} with augment.crop = {self.crop!r}: only "
                "fixed crops use it; set augment.crop = 'fixed', or the side to 0"
            )
        if self.chain and self.color:
            raise ValueError(
                f"augment.color = {self.color} with augment.chain = {self.chain}: the chain "
                "changes colours itself; set one of them to 0"
            )
        if self.also and self.device:
            raise ValueError(
                f"augment.also = {shown(self.also)} with augment.device = True: what is named "
                "comes after mirroring, which is left to the devices; set augment.device = False"
            )
        self._also  # noqa: B018 — it refuses what is unknown

    def __call__(self, rng: np.random.Generator, frames: np.ndarray, size: int) -> Batch:
        """Augments uint8 frames `[T, H, W, 3]`; flow `[T, H, W, 2 L]` is cut and mirrored alone.

        Returns:
          `clip` uint8 `[T, size, size, 3]`, or of as many channels as the frames have; and, where
          the rest is left to the training step, the fields of the clip's `Draw`.
        """
        clip = self._cut(rng, frames, size)
        flip = rng.random() < self.flip
        if frames.shape[-1] != transforms.COLOURS:
            return {"clip": np.ascontiguousarray(transforms.flip(clip) if flip else clip)}
        draw = Chain(self.chain, self.member).draw(rng, size)._replace(flip=np.bool_(flip))
        clip = clip if self.device else apply_on_host(clip, draw)
        if self.color:
            clip = transforms.color_jitter(rng, clip, self.color)
        clip = extra_augmentations.apply(self._also, rng, clip)
        return self._example(clip, draw)

    def blank(self, shape: ClipShape, channels: int = transforms.COLOURS) -> Batch:
        """What stands for a clip that cannot be read: black, and nothing is done to it."""
        clip = np.zeros((shape.frames, shape.size, shape.size, channels), np.uint8)
        return self._example(clip, nothing(shape.size))

    @functools.cached_property
    def _also(self) -> Mapping[str, extra_augmentations.Augment]:
        return extra_augmentations.make(self.also)

    def _cut(self, rng: np.random.Generator, frames: np.ndarray, size: int) -> np.ndarray:
        height, width = frames.shape[1:3]
        if self.crop == "fixed":
            side = max(self.short_side or min(height, width), size)
            return transforms.random_scale_short_side(rng, frames, side, side, size)
        if self.crop == "padded":
            return transforms.random_padded_crop(rng, frames, size)
        box = transforms.random_resized_crop_box(rng, height, width, self.scale, self.ratio)
        return transforms.resize(transforms.crop(frames, box), (size, size))

    def _example(self, clip: np.ndarray, draw: Draw) -> Batch:
        example = {"clip": np.ascontiguousarray(clip)}
        return example | draw._asdict() if self.device else example


class TrainClip(grain.transforms.RandomMap):
    """Record -> one augmented clip; a clip whose frames cannot be decoded is masked, not lost."""

    def __init__(
        self,
        shape: ClipShape,
        augmentation: Augmentation,
        targets: Targets = _ONE_LABEL,
        channels: int = transforms.COLOURS,
    ) -> None:
        self._shape = shape
        self._augmentation = augmentation
        self._targets = targets
        self._channels = channels

    def random_map(self, record: Record, rng: np.random.Generator) -> Batch:
        """Cuts and augments a clip of the record."""
        label = self._targets.array(record.label)
        try:
            indices = self._shape.train_indices(rng, record.length)
            frames = record.decode(indices)
        except ValueError as error:
            _tell_once(record.name, error)
            blank = self._augmentation.blank(self._shape, self._channels)
            return _labelled(blank, label, readable=False)
        clip = self._augmentation(rng, frames, self._shape.size)
        return _labelled(clip, label, readable=True)


# Videos that were named as unreadable; they come again in every epoch.
_told: set[str] = set()


def _tell_once(name: str, error: ValueError) -> None:
    if name not in _told:
        _told.add(name)
        complain(f"warning: {name} is skipped: {error}")


def _labelled(clip: Batch, label: Any, *, readable: bool) -> Batch:
    return clip | {"label": label, "mask": np.bool_(readable)}


def batch_shapes(
    shape: ClipShape,
    augmentation: Augmentation,
    batch_size: int,
    targets: Targets = _ONE_LABEL,
    channels: int = transforms.COLOURS,
) -> Shapes:
    """Shape and type of each array of a batch of `train_batches`, by name."""
    one = _labelled(augmentation.blank(shape, channels), targets.nothing(), readable=False)
    return {name: ((batch_size, *np.shape(array)), array.dtype) for name, array in one.items()}


def train_batches(
    source: VideoSource,
    shape: ClipShape,
    augmentation: Augmentation,
    *,
    batch_size: int,
    seed: int,
    process_index: int = 0,
    process_count: int = 1,
    sampling: str = "uniform",
    shards: int = 0,
) -> grain.MapDataset:
    """This process' part of the endless sequence of training batches.

    Element k of the result is batch k: `clip` uint8 `[B/P, T, S, S, 3]`, of flow `2 L` channels,
    `label` int32 `[B/P]`, or float32 `[B/P, C]` where a video may have several
    (`vidjax.data.targets`), and `mask` bool `[B/P]`, False where a video could not be read; with
    `augmentation.device` also the fields of `vidjax.data.thesis_augmentation.draw.Draw`. Process p
    has rows pB/P
    to (p + 1)B/P of the batch k that one process alone would have, and nothing else is read.
    `sampling` and `shards` are those of `vidjax.data.video_sampler`.

    Raises:
      ValueError: the split is empty, the processes do not divide the batch, or as `ordered`.
    """
    if len(source) == 0:
        raise ValueError(f"{source} holds no videos to train on")
    if batch_size % process_count:
        raise ValueError(f"batch size {batch_size} is not divisible by {process_count} processes")
    at_once = -(-shards // process_count)
    order = ordered(source, seed, sampling, shards=shards, batch_size=batch_size, at_once=at_once)
    transform = TrainClip(shape, augmentation, Targets.of(source), channels_of(source))
    clips = order.random_map(transform)
    parts = clips.batch(batch_size // process_count, drop_remainder=True)
    return parts[process_index::process_count]


def prefetch(batches: grain.MapDataset, threads: int) -> Any:
    """Iterator over `batches` that reads ahead; its `get_state()` is the next batch's number."""
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=max(2, 2 * threads))
    return iter(batches.to_iter_dataset(options))
