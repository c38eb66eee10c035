"""The groups of settings, such as `optimizer` and `eval`, as frozen, typed values.

These classes document each setting; `vidjax/run/defaults.py` has the defaults.
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
      weights: weights to start from: a folder of converted weights, a run, or a published name such
        as `i3d:kinetics400`. Empty starts from a random initialisation.
      mean: mean of red, green and blue in [0, 1], or of flow's x and y. None takes the mean of the
        weights or the network; for flow it is the value of no motion.
      std: standard deviation of red, green and blue in [0, 1], or of flow's x and y. None takes
        that of the weights or the network; for flow it is the mean of the network's three.
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
      name: name of the data set: `video_folder` for your own videos, `marionette` (generated
        videos), `synthetic` (random arrays), or a published data set.
      manifest: folder or CSV with your videos, for `video_folder`.
      manual_dir: folder with the videos and annotations of a published data set.
      verdicts: CSV of `vidjax check_videos`; the videos that it marks as unsound are skipped.
      root: folder that the paths in a CSV are relative to; empty means the folder of the CSV.
      data_dir: where prepared data sets are stored: a folder, or a URL such as `gs://bucket/data`.
      cache_dir: folder on this machine to which shards are copied before they are read. Empty means
        `~/.cache/vidjax/shards` if `data_dir` is a URL; otherwise shards are read in place. A URL
        names a bucket near the machines that they share: each shard is copied into it once.
      cache_gb: gigabytes (10^9 bytes) that the copies of all data sets may take together. None is
        nine tenths of the free space on that disk.
      shuffle_shards: number of shards that training reads at a time; 0 shuffles all videos, which
        needs every shard from the start.
      short_side: short side of the stored frames in pixels.
      fps: frame rate at which videos are stored; None keeps each video's own.
      quality: JPEG quality of the stored frames.
      input: the stored data, and the input of networks: `frames`, or `flow`, the optical flow from
        each frame to the next.
      flow_method: algorithm for optical flow: `dis`, `farneback`, or `tvl1`, which needs OpenCV's
        contrib build.
      flow_bound: flow is clipped to this many pixels of the stored frames, in both directions of x
        and y.
      flow_pairs: number of successive flow fields at each position of a clip; each has two
        channels.
      bad_video_budget: share of unreadable videos above which a run stops.
      allow_group_leak: whether one group (person, source) may be in both training and test.
      multi_label: whether a video may have several labels, or none. Each class then has a sigmoid
        of its own.
      options: options of the data set; `vidjax prepare --dataset=NAME --describe` lists them.
      train_split: split to train on.
      train_per_class: the most training videos of a class; 0 takes all. A smaller choice is part of
        each larger one, and depends on the names of the videos alone.
      workers: processes that decode videos during preparation.
      threads: threads that decode clips during training.
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
    train_per_class: int

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
    """The training of a run.

    Attributes:
      duration: how long to train, such as "20 epochs" or "400 steps".
      batch_size: clips per step, on all devices together.
      label_smoothing: share of the target that is distributed evenly over all classes.
      accumulate: number of parts in which a batch is computed one after the other, to save memory.
      ema: decay of the moving average of the parameters, which is evaluated; 0 is off.
      batch_norm: clips whose statistics are normalised together: `global` (the whole batch),
        `per_device`, or a number of clips.
      cutmix: alpha of CutMix's Beta distribution; 0 is off.
      cutmix_chance: probability that a batch is mixed, by CutMix or MixUp. If both are on, each
        mixed batch takes either of them with probability one half.
      mixup: alpha of MixUp's Beta distribution; 0 is off.
      class_weights: weights of the classes in the loss: `none`, `balanced` (inversely proportional
        to frequency), `inverse_sqrt` (to the square root of frequency), or a CSV file with the
        columns class and weight.
      sampling: how videos are sampled: `uniform` (each once per epoch) or `balanced` (each class
        equally often).
      train_only: trains only the parameters with this part in their path, such as `class_reg` or
        `head`. The rest of the network is frozen, including batch statistics, and runs as in
        evaluation. Empty trains all.
      frozen: parts to freeze, such as `("stem", "layer1")`, named as in `optimizer.lr_factors`.
        Their batch norms, dropout and methods run as in evaluation.
      frozen_batch_norm: batch norms use their stored statistics and do not update them; their
        scales and biases are still trained.
      partial_batch_norm: the same for all batch norms except the first, as in the training of
        Temporal Segment Networks.
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
    """The optimiser and its settings.

    Attributes:
      name: an optimiser of optax, such as `sgd`, `adamw` or `lamb`; `contrib.muon` is one of
        `optax.contrib`.
      options: further parameters of the optax function, such as `b2`.
      lr: learning rate at `reference_batch`.
      reference_batch: batch size that `lr` was tuned for; the learning rate is lr * batch_size /
        reference_batch. 0 uses `lr` as it is.
      momentum: momentum: the optimiser's `momentum`, `b1` or `beta`.
      nesterov: whether to use Nesterov momentum.
      weight_decay: weight decay. Optimisers that can restrict it to kernels, such as `adamw`,
        `lamb` and `lion`, do so; for others it is added to the gradient (L2).
      decay_norm_and_bias: whether weight decay also applies to scales of norms and to biases.
      decay_recurrent: whether weight decay also applies to the recurrent weights of recurrent
        cells.
      clip_norm: largest gradient norm; larger gradients are scaled down. 0 is off.
      lr_factors: factors of the learning rate by part of the network, such as `{"head": 10}`. A
        part is a name in a parameter's path, or its beginning (`stem` for `stem_layer`). If several
        match, the innermost counts.
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
    """The learning-rate schedule: `cosine`, `step` or `constant`, after a linear warm-up.

    Attributes:
      name: shape of the schedule, after the warm-up.
      warmup: duration of the linear warm-up from 0.
      boundaries: durations after which `step` multiplies the learning rate by `factor`.
      factor: factor by which `step` multiplies the learning rate at each of the `boundaries`.
      cosine_over: range of `cosine`: the `rest` of the run, falling from the peak after the
        warm-up; or the whole `run`, where the warm-up rises to the cosine's value at its end.
    """

    name: str
    warmup: str
    boundaries: tuple[str, ...]
    factor: float
    cosine_over: str


@dataclasses.dataclass(frozen=True)
class EveryConfig:
    """Intervals of logging, checkpoints and evaluation.

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
    """Devices along each axis of the mesh; -1 takes the remaining devices.

    Attributes:
      data: devices among which the batch is split.
      fsdp: devices among which large parameters are split too.
    """

    data: int
    fsdp: int


@dataclasses.dataclass(frozen=True)
class EvalConfig:
    """The evaluation protocol: which views of which videos are scored.

    Attributes:
      split: split to evaluate.
      clips: clips per video, spread evenly in time.
      crops: crops per clip: 1, 3 or 10.
      frames: frames per clip; 0 is `clip.frames`.
      size: height and width of a crop in pixels.
      short_side: short side of the frames before cropping, in pixels; 0 is `size`.
      stretched: height and width that frames are resized to instead, ignoring the aspect ratio, as
        some published networks were trained; None keeps the ratio.
      batch_size: clips per step, on all devices together, each with all its crops.
    """

    split: str
    clips: int
    crops: int
    frames: int
    size: int
    batch_size: int
    short_side: int
    stretched: tuple[int, int] | None
