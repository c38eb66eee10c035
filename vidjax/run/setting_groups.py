"""Groups of settings as frozen, typed values, such as `optimizer` and `eval`.

These classes say what each setting means; `vidjax/run/defaults.py` has the defaults.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from vidjax.data.optical_flow import Flow
from vidjax.data.transforms import COLOURS


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The network.

    Attributes:
      name: name of the network; `vidjax zoo` lists them.
      options: options of the network; `vidjax options NAME` lists them.
      weights: weights to start from: a folder of converted ones, a run, or a published name such
        as `i3d:kinetics400`. Empty starts from random ones.
      mean: mean of the three colours, or of flow's x and y, in [0, 1]. None takes that of the
        weights, or of the network; of flow it is what does not move.
      std: standard deviation of the colours, or of flow, in [0, 1]. None is as for `mean`; of flow
        it is the mean of the network's three.
    """

    name: str
    options: Mapping[str, Any]
    weights: str
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Where the videos come from and how they are stored.

    Attributes:
      name: name of the data set: `video_folder` for your own videos, `marionette` (generated),
        `synthetic` (random arrays), or a published one.
      manifest: folder or CSV with the videos, for `video_folder`.
      manual_dir: folder with the videos and annotations of a published data set.
      verdicts: CSV of `vidjax check_videos`; what it finds unsound is left out by name.
      root: folder that a CSV's paths are relative to; empty means the CSV's own.
      data_dir: where prepared data sets are kept: a folder, or a URL such as `gs://bucket/data`.
      cache_dir: folder on this machine that shards are copied to before they are read. Empty is
        `~/.cache/vidjax/shards` where `data_dir` is a URL; otherwise shards are read in place. A
        URL names a bucket near the machines, which they share: a shard is copied into it once.
      cache_gb: gigabytes (10^9 bytes) that all copies may take, of all data sets together. None is
        nine tenths of what is free on that disk.
      shuffle_shards: how many shards training reads at a time; 0 shuffles all videos, which needs
        every shard from the beginning.
      short_side: short side of the stored frames in pixels.
      fps: frame rate to store; None keeps each video's own.
      quality: JPEG quality of the stored frames.
      input: what is stored, and what networks see: `frames`, or `flow`, the optical flow from each
        frame to the next.
      flow_method: how flow is computed: `dis`, `farneback`, or `tvl1`, which OpenCV's contrib build
        alone has.
      flow_bound: pixels of the stored frames that flow's x and y are cut off at, on both sides.
      flow_pairs: successive fields of flow that a clip shows at one place; each has two channels.
      bad_video_budget: share of unreadable videos above which a run stops.
      allow_group_leak: whether one group (person, source) may be in training and in test.
      multi_label: whether a video may have several labels, or none. Each class is then a yes or
        no by itself.
      options: options of the data set; `vidjax prepare --dataset=NAME --describe` lists them.
      train_split: split to train on.
      workers: processes that decode videos while preparing.
      threads: threads that decode clips while training.
    """

    name: str
    manifest: str
    root: str
    data_dir: str
    short_side: int
    fps: float | None
    quality: int
    bad_video_budget: float
    allow_group_leak: bool
    options: Mapping[str, Any]
    train_split: str
    workers: int
    threads: int
    manual_dir: str
    verdicts: str
    multi_label: bool
    cache_dir: str
    cache_gb: float | None
    shuffle_shards: int
    input: str
    flow_method: str
    flow_bound: float
    flow_pairs: int

    @property
    def flow(self) -> Flow | None:
        """How flow is computed; None where networks see frames."""
        return Flow(self.flow_method, self.flow_bound) if self.input == "flow" else None

    @property
    def channels(self) -> int:
        """Channels of a frame of a clip."""
        return 2 * self.flow_pairs if self.input == "flow" else COLOURS


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """One run.

    Attributes:
      duration: how long to train, such as "20 epochs" or "400 steps".
      batch_size: clips of a step, on all devices together.
      label_smoothing: share of the target that is spread over all classes.
      accumulate: parts that a batch is computed in, one after the other, to save memory.
      ema: decay of the running average of the parameters that is evaluated; 0 is off.
      batch_norm: whose statistics normalise a clip: `global` (all of the batch's),
        `per_device`, or a number of clips.
      cutmix: alpha of the Beta distribution that CutMix draws from; 0 is off.
      cutmix_chance: chance of a batch to be mixed, by CutMix or MixUp. Where both are on, each
        mixed batch takes one of them, either with a chance of one half.
      mixup: alpha of the Beta distribution that MixUp draws from; 0 is off.
      class_weights: weights of the classes in the loss: `none`, `balanced` (the rarer, the
        heavier), `inverse_sqrt` (likewise, by the root), or a CSV file with the columns class and
        weight.
      sampling: how often videos come: `uniform` (each once an epoch) or `balanced` (each class
        equally often).
      train_only: parameters to train, those with this part in their path, such as `class_reg` or
        `head`; the rest of the network stays as it is, batch statistics included, and runs as in
        evaluation. Empty trains all.
      frozen: parts that do not change, such as `("stem", "layer1")`, called as in
        `optimizer.lr_factors`. They run as in evaluation: batch statistics, dropout and methods.
      frozen_batch_norm: batch norms run with their stored statistics and do not update them;
        their scales and biases still train.
      partial_batch_norm: likewise, all but the first batch norm, as Temporal Segment Networks are
        trained.
    """

    duration: str
    batch_size: int
    label_smoothing: float
    accumulate: int
    ema: float
    batch_norm: str | int
    cutmix: float
    cutmix_chance: float
    mixup: float
    class_weights: str
    sampling: str
    train_only: str
    frozen: tuple[str, ...]
    frozen_batch_norm: bool
    partial_batch_norm: bool

    @property
    def norm_group(self) -> int | None:
        """The number of clips that `batch_norm` is; a command line gives it as text."""
        text = str(self.batch_norm)
        return int(text) if text.isdecimal() and int(text) > 0 else None


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """How weights follow gradients.

    Attributes:
      name: an optimiser of optax, such as `sgd`, `adamw` or `lamb`; `contrib.muon` is one of
        `optax.contrib`.
      options: further parameters of the optax function, such as `b2`.
      lr: learning rate at `reference_batch`.
      reference_batch: batch that `lr` was tuned for; the rate used is
        lr * batch_size / reference_batch. 0 uses `lr` as it is.
      momentum: decay of the gradient's running sum: the optimiser's `momentum`, `b1` or `beta`.
      nesterov: whether to look ahead along the momentum.
      weight_decay: decay of the weights. Optimisers that can take it from kernels alone, such as
        `adamw`, `lamb` and `lion`, do so; for others it is added to the gradient (L2).
      decay_norm_and_bias: whether all parameters decay: scales of norms and biases, too.
      decay_recurrent: whether the weights between the steps of recurrent cells decay as kernels do.
      clip_norm: largest gradient norm; 0 is off.
      lr_factors: what the learning rate of a part is multiplied by, such as `{"head": 10}`. A part
        is a name in a parameter's path, or its beginning (`stem` of `stem_layer`). Of several,
        the innermost counts.
      layer_decay: factor of the learning rate for each stage between a parameter and the
        classifier; 1 is off.
    """

    lr: float
    reference_batch: int
    momentum: float
    nesterov: bool
    weight_decay: float
    decay_norm_and_bias: bool
    decay_recurrent: bool
    clip_norm: float
    name: str
    options: Mapping[str, Any]
    lr_factors: Mapping[str, float]
    layer_decay: float


@dataclasses.dataclass(frozen=True)
class ScheduleConfig:
    """`cosine`, `step` or `constant`, after a linear warm-up.

    Attributes:
      name: shape of the schedule, after the warm-up.
      warmup: duration of the linear rise from 0.
      boundaries: durations after which `step` multiplies the rate by `factor`.
      factor: what `step` multiplies the rate by at each of the `boundaries`.
      cosine_over: what `cosine` falls over: the `rest` of the run, from its peak after the warm-up;
        or the whole `run`, where the warm-up rises to the value that the cosine has at its end.
    """

    name: str
    warmup: str
    boundaries: tuple[str, ...]
    factor: float
    cosine_over: str


@dataclasses.dataclass(frozen=True)
class EveryConfig:
    """When something is done beside training.

    Attributes:
      log: duration between log lines.
      checkpoint: duration between checkpoints.
      evaluate: duration between evaluations.
      keep: how many recent checkpoints are kept.
    """

    log: str
    checkpoint: str
    evaluate: str
    keep: int


@dataclasses.dataclass(frozen=True)
class MeshConfig:
    """Devices along each axis of the mesh; -1 takes what the other leaves.

    Attributes:
      data: devices that split the batch.
      fsdp: devices that split large parameters too.
    """

    data: int
    fsdp: int


@dataclasses.dataclass(frozen=True)
class EvalConfig:
    """Which views of which videos are scored.

    Attributes:
      split: split that is evaluated.
      clips: clips of each video, spread evenly in time.
      crops: crops of each clip: 1, 3 or 10.
      frames: number of frames of a clip; 0 is `clip.frames`.
      size: height and width of a crop in pixels.
      short_side: short side of the frames that are cropped, in pixels; 0 is `size`.
      stretched: height and width that frames are resized to instead, as some published networks
        were trained; None keeps their aspect.
      batch_size: clips of a step, on all devices together, each with all its crops.
    """

    split: str
    clips: int
    crops: int
    frames: int
    size: int
    batch_size: int
    short_side: int
    stretched: tuple[int, int] | None
