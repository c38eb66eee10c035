"""Training batches of clips from a prepared split: deterministic, resumable, sharded by process.

Batch number k depends only on (seed, k). Each epoch is shuffled by a new permutation of indices,
and the randomness of a clip comes from its position in that order. A resumed run therefore need not
replay earlier batches, whatever the number of threads.
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
from vidjax.data.thesis_augmentation.host import apply_on_host
from vidjax.data.thesis_augmentation.parameters import Chain, Draw, nothing
from vidjax.data.video_sampler import shuffled_records
from vidjax.settings import boolean, check, number, one_of, rising, shown, whole
from vidjax.terminal import complain

Batch = dict[str, Any]
Shapes = dict[str, tuple[tuple[int, ...], np.dtype]]
SAMPLINGS = ("dense", "normal_start", "normal_spread", "segments", "still")
CROPS = ("area", "fixed", "padded")
_ONE_LABEL = Targets()
# Far above any clip or frame in use, and low enough that arithmetic does not overflow.
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
    """Shape and frame sampling of a clip.

    >>> ClipShape(frames=4, stride=2).view_indices(num_frames=10, views=2).tolist()
    [[0, 2, 4, 6], [3, 5, 7, 9]]

    Attributes:
      frames: number of frames T.
      stride: stride between frames in the stored video.
      size: height and width in pixels.
      short: policy for videos with too few frames: `loop`, `hold`, `pad`, or `repeat` (the clip is
        one repeated frame, in training a random one, as in the thesis' released code).
      sampling: `dense` (T frames at the stride), `normal_start` (the same, but in training from a
        start around a quarter of the video), `normal_spread` (from such a start to random frames
        after it), `segments` (one frame from each of T equal segments, as in TSN), or `still` (one
        frame repeated T times, to measure what a single frame tells).
      fit: if a video is too short, reduce the stride before applying that policy.
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
        """Draws the frame indices `[T]` of a training clip."""
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
        """Returns the stride, and the policy, which is `repeat` only if the video is too short."""
        stride = self.stride
        if self.fit:
            stride = frame_sampling.fitting_stride(num_frames, self.frames, stride)
        fits = stride * (self.frames - 1) < num_frames
        return stride, "loop" if fits and self.short == "repeat" else self.short

    def view_indices(self, num_frames: int, views: int) -> np.ndarray:
        """Returns the frame indices `[views, T]` of a video's evaluation clips."""
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
    """Training augmentation. One draw applies to all frames of a clip.

    Attributes:
      scale: range of an area crop's area, as a fraction of the frame's area.
      ratio: range of an area crop's aspect ratio, width over height.
      flip: probability of mirroring left and right; set 0 if labels distinguish left from right.
      color: strength of brightness, contrast and saturation jitter, up to 1; 0 is off.
      chain: probability of the thesis' augmentation chain (`vidjax.data.thesis_augmentation`); 0
        is off.
      member: probability of each operation of the chain.
      crop: `area` crops a random area and aspect ratio and resizes it to the clip's size. `fixed`
        is a random crop of the clip's size. `padded` resizes the short side to the clip's size,
        adds a black border of an eighth of it, and crops at random. Smaller frames are enlarged.
      short_side: short side in pixels that frames are resized to before a fixed crop; 0 keeps the
        stored size.
      device: whether the chain and mirroring run in the training step, on the devices.
      flip_sided: mirror even if labels distinguish left from right.
      also: more augmentations by name, with their settings. They are applied last, in this order.
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
                "fixed crops use it; set augment.crop = 'fixed', or augment.short_side = 0"
            )
        if self.chain and self.color:
            raise ValueError(
                f"augment.color = {self.color} with augment.chain = {self.chain}: the chain "
                "changes colours itself; set one of them to 0"
            )
        if self.also and self.device:
            raise ValueError(
                f"augment.also = {shown(self.also)} with augment.device = True: these "
                "augmentations run after mirroring, which then runs on the devices; set "
                "augment.device = False"
            )
        self._also  # noqa: B018 — refuses unknown augmentations

    def __call__(self, rng: np.random.Generator, frames: np.ndarray, size: int) -> Batch:
        """Augments frames uint8 `[T, H, W, 3]`; flow `[T, H, W, 2 L]` is only cropped and mirrored.

        Returns:
          `clip` uint8 `[T, size, size, 3]`, with as many channels as the frames. With `device` also
          the fields of the clip's `Draw`, for the training step.
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
        """Returns the placeholder for a clip that cannot be read: black, with nothing to apply."""
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
    """Turns a record into one augmented clip. Undecodable clips are masked, not dropped."""

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
        """Samples and augments a clip of the record."""
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


# Videos that were reported as unreadable; they come up again in every epoch.
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
    """Returns shape and dtype of each array in a batch of `train_batches`, by name."""
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
    """Returns this process' part of the endless sequence of training batches.

    Element k is batch k, a dict of

    - `clip` uint8 `[B/P, T, S, S, 3]`, or `2 L` channels of flow;
    - `label` int32 `[B/P]`, or float32 `[B/P, C]` of a multi-label source (`vidjax.data.targets`);
    - `mask` bool `[B/P]`, False for a video that could not be read;
    - with `augmentation.device` also the fields of a `Draw` (`vidjax.data.thesis_augmentation`).

    Process p of P gets rows pB/P to (p + 1)B/P of batch k, and reads only those.

    Args:
      source: the videos.
      shape: shape and frame sampling of a clip.
      augmentation: training augmentation.
      batch_size: number B of clips of all processes together.
      seed: seed of order, frame sampling and augmentation.
      process_index: index p of this process.
      process_count: number P of processes.
      sampling: as in `vidjax.data.video_sampler`.
      shards: as in `vidjax.data.video_sampler`.

    Raises:
      ValueError: the split is empty, the batch size is not divisible by the number of processes, or
        `shuffled_records` raises it.
    """
    if len(source) == 0:
        raise ValueError(f"{source} contains no videos to train on")
    if batch_size % process_count:
        raise ValueError(f"batch size {batch_size} is not divisible by {process_count} processes")
    at_once = -(-shards // process_count)
    order = shuffled_records(
        source, seed, sampling, shards=shards, batch_size=batch_size, at_once=at_once
    )
    transform = TrainClip(shape, augmentation, Targets.of(source), channels_of(source))
    clips = order.random_map(transform)
    parts = clips.batch(batch_size // process_count, drop_remainder=True)
    return parts[process_index::process_count]


def prefetch(batches: grain.MapDataset, threads: int) -> Any:
    """Returns a prefetching iterator over batches; its `get_state()` is the next batch's number."""
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=max(2, 2 * threads))
    return iter(batches.to_iter_dataset(options))
