"""What a configuration means: its network and its data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vidjax.data import catalog
from vidjax.data.class_matching import Relabelled, renamed, require_known
from vidjax.data.prepared import PreparedSplit, VideoSource, channels_of
from vidjax.data.synthetic import SyntheticSplit
from vidjax.data.targets import is_multi_label
from vidjax.data.views import refuse_hopeless
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
      directory: of the prepared data set; None for synthetic arrays.
      mapping: what the data set's labels are called among the network's classes, of those that
        are called otherwise.
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
        """Checks the configuration against devices, classes and splits; prepares its data set.

        What does not fit is said before videos are decoded, where their list tells it.

        Args:
          config: the configuration.
          progress: called with (what is done, how many, of how many).
          training: whether the network is to be trained.
          classes: those of a network that is trained already; the data set's are matched with them
            by name. To go on training it must have all of them. None takes the data set's own.
          mapping: what the data set's labels are called among `classes`, of those that are called
            otherwise.
          unprepared: as in `vidjax.data.catalog.Request`.

        Raises:
          ClassesError: the data set has others.
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
            refuse_hopeless(look(config.eval.split), network.views)
            # One class of several that a video may have is there or not.
            if training and len(found) == 1 and not config.data.multi_label:
                raise ConfigError(
                    f"{config.data.name} has one class, {found[0]!r}: any network is always "
                    "right; name a folder or list with several"
                )

        directory = _prepare(config, judge, progress, unprepared)
        first = config.data.train_split if training else config.eval.split
        source = _split(config, directory, first)
        _require_kind(config, source)
        _require_input(config, source)
        network = network_for(source.classes)
        return cls(config, network, directory, mapping or {})

    def split(self, name: str) -> VideoSource:
        """A split of the data set, its labels numbered as the network's classes are.

        Raises:
          ValueError: the data set has no such split.
        """
        source = _split(self.config, self.directory, name)
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
    """The copies that shards are read from; None where they are read in place."""
    data = config.data
    if data.cache_dir or is_url(directory):
        return shard_cache(data.cache_dir, data.cache_gb)
    return None


def _fitting(config: Config, classes: Sequence[str], training: bool) -> Network:
    """The network for classes that neither augmentation nor views mix up."""
    network = Network.of(config, tuple(classes))
    network.views  # noqa: B018 — it refuses what does not fit
    if training:
        network.check_mirroring()
        network.check_training()
    return network


def _require_splits(config: Config, splits: Sequence[str], training: bool) -> None:
    wanted = {"eval.split": config.eval.split}
    if training:
        wanted = {"data.train_split": config.data.train_split} | wanted
    for setting, name in wanted.items():
        if name not in splits:
            raise ConfigError(
                f"{setting} = {name!r}: {config.data.name} has videos of {', '.join(splits)} "
                f"alone; set {setting}, or add videos of {name!r}"
            )


def _require_kind(config: Config, source: VideoSource) -> None:
    there = is_multi_label(source)
    if config.data.multi_label != there:
        raise ConfigError(
            f"data.multi_label = {config.data.multi_label}: a video of {config.data.name} has "
            f"{'several labels' if there else 'one label'}; set data.multi_label={there}"
        )


def _require_input(config: Config, source: VideoSource) -> None:
    """Refuses a data set of frames where flow is asked for, whoever made it."""
    if channels_of(source) != config.data.channels:
        raise ConfigError(
            f"data.input = {config.data.input!r}: {config.data.name} is stored as "
            f"{'frames' if config.data.flow else 'flow'}; set data.input to what it is"
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
