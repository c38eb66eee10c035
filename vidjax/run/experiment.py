"""The network and the data set that a configuration describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vidjax.data import catalog
from vidjax.data.class_matching import Relabelled, renamed, require_known
from vidjax.data.fewer_videos import FewerVideos
from vidjax.data.prepared import PreparedSplit, VideoSource, channels_of
from vidjax.data.synthetic import SyntheticSplit
from vidjax.data.targets import is_multi_label
from vidjax.data.views import refuse_coinciding_expected
from vidjax.run import sharding
from vidjax.run.batch_memory import check_batch_memory
from vidjax.run.config import Config, ConfigError
from vidjax.run.network import Network
from vidjax.run.processes import DAYS, after_first
from vidjax.storage.paths import as_path, is_url
from vidjax.storage.shard_cache import ShardCache, shard_cache

Progress = Callable[[str, int, int], None]
Judge = Callable[[Sequence[str], Sequence[str], catalog.Look], None]
_SYNTHETIC_SEEDS = {"train": 0, "val": 1, "test": 2}


@dataclass(frozen=True)
class Experiment:
    """A configuration with its network and its data set.

    Attributes:
      config: the configuration.
      network: its network.
      directory: folder of the prepared data set; None for synthetic arrays.
      mapping: from data set labels to the network's classes, for those that are named differently.
    """

    config: Config
    network: Network
    directory: Path | None
    mapping: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def open(
        cls,
        config: Config,
        progress: Progress,
        *,
        training: bool = False,
        classes: Sequence[str] | None = None,
        mapping: Mapping[str, str] | None = None,
        unprepared: str = "",
    ) -> Experiment:
        """Checks the configuration against devices, classes and splits, and prepares its data set.

        Misfits are reported before videos are decoded, if the list of videos reveals them.

        Args:
          config: the configuration.
          progress: called with the name of the work, the number of finished items and the total.
          training: whether the network will be trained.
          classes: classes of a network that is already trained; the data set's are matched with
            them by name. To continue training, the data set must have all of them. None takes the
            data set's own.
          mapping: from data set labels to `classes`, for those that are named differently.
          unprepared: as in `vidjax.data.catalog.Request`.

        Raises:
          ClassesError: the data set has other classes.
          ValueError: the data, the network's name or options, or a batch size does not fit.
        """
        mesh = Network.of(config, ("any",)).mesh
        if training:
            part = config.train.batch_size // config.train.accumulate
            whole = config.train.accumulate == 1
            name = "train.batch_size" if whole else "a part of train.batch_size"
            sharding.check_batch(name, part, mesh)
        sharding.check_batch("eval.batch_size", config.eval.batch_size, mesh)
        check_batch_memory(config)

        def network_for(found: Sequence[str]) -> Network:
            if classes is not None:
                require_known(renamed(found, mapping or {}), classes, all_of_them=training)
            return _fitting(config, classes or found, training)

        def judge(found: Sequence[str], splits: Sequence[str], look: catalog.Look) -> None:
            network = network_for(found)
            _require_splits(config, splits, training)
            refuse_coinciding_expected(look(config.eval.split), network.views)
            # With several labels per video, a single class is still a yes-or-no question.
            if training and len(found) == 1 and not config.data.multi_label:
                raise ConfigError(
                    f"{config.data.name} has only one class, {found[0]!r}, so any network would "
                    "be right; name a folder or list with several"
                )

        directory = _prepare(config, judge, progress, unprepared)
        first = config.data.train_split if training else config.eval.split
        source = _split(config, directory, first)
        _require_kind(config, source)
        _require_input(config, source)
        network = network_for(source.classes)
        return cls(config, network, directory, mapping or {})

    def split(self, name: str) -> VideoSource:
        """Opens a split of the data set, with labels numbered like the network's classes.

        The training split has at most `data.train_per_class` videos of a class.

        Raises:
          ValueError: the data set has no such split.
        """
        data, source = self.config.data, _split(self.config, self.directory, name)
        if data.train_per_class and name == data.train_split:
            source = FewerVideos(source, data.train_per_class)
        same = source.classes == self.network.classes and not self.mapping
        return source if same else Relabelled(source, self.network.classes, self.mapping)


def _split(config: Config, directory: Path | None, name: str) -> VideoSource:
    if directory is not None:
        pairs = config.data.flow_pairs
        return PreparedSplit(directory, name, _cache(config, directory), pairs=pairs)
    try:
        return SyntheticSplit(**config.data.options, seed=_SYNTHETIC_SEEDS.get(name, 3))
    except TypeError as error:
        raise ConfigError(f"data.options for synthetic: {error}") from None


def _cache(config: Config, directory: Path) -> ShardCache | None:
    """Returns the cache that shards are copied to; None if they are read in place."""
    data = config.data
    if data.cache_dir or is_url(directory):
        return shard_cache(data.cache_dir, data.cache_gb)
    return None


def _fitting(config: Config, classes: Sequence[str], training: bool) -> Network:
    """Makes the network, if augmentation and views do not confuse its classes."""
    network = Network.of(config, tuple(classes))
    network.views  # noqa: B018 — evaluating it refuses a misfit
    if training:
        network.check_mirroring()
        network.check_training()
    return network


class SplitError(ConfigError):
    """The data set lacks a split.

    Attributes:
      split: name of the split.
      known: the splits that the data set has.
    """

    def __init__(self, message: str, split: str, known: Sequence[str]) -> None:
        super().__init__(message)
        self.split, self.known = split, tuple(known)


def _require_splits(config: Config, splits: Sequence[str], training: bool) -> None:
    wanted = {"eval.split": config.eval.split}
    if training:
        wanted = {"data.train_split": config.data.train_split} | wanted
    for setting, name in wanted.items():
        if name not in splits:
            raise SplitError(
                f"{setting} = {name!r}: {config.data.name} has only videos of "
                f"{', '.join(splits)}; set {setting}, or add videos of {name!r}",
                name,
                splits,
            )


def _require_kind(config: Config, source: VideoSource) -> None:
    there = is_multi_label(source)
    if config.data.multi_label != there:
        raise ConfigError(
            f"data.multi_label = {config.data.multi_label}: the videos of {config.data.name} have "
            f"{'several labels' if there else 'one label'} each; set data.multi_label={there}"
        )


def _require_input(config: Config, source: VideoSource) -> None:
    """Refuses a data set of frames if flow is requested, and the other way round."""
    if channels_of(source) != config.data.channels:
        raise ConfigError(
            f"data.input = {config.data.input!r}: {config.data.name} is stored as "
            f"{'frames' if config.data.flow else 'flow'}; change data.input accordingly"
        )


def _prepare(config: Config, judge: Judge, progress: Progress, unprepared: str) -> Path | None:
    data = config.data
    if data.name == "synthetic":
        return None
    request = catalog.Request(
        data_dir=as_path(data.data_dir),
        storage=catalog.Storage(
            data.short_side, data.fps, data.quality, data.bad_video_budget, data.flow
        ),
        manifest=data.manifest,
        root=data.root,
        manual_dir=data.manual_dir,
        verdicts=data.verdicts,
        allow_group_leak=data.allow_group_leak,
        workers=data.workers,
        options=data.options,
        multi_label=data.multi_label,
        unprepared=unprepared,
        judge=judge,
        progress=progress,
    )
    return after_first(lambda: catalog.prepare(data.name, request), "preparing the data set", DAYS)
