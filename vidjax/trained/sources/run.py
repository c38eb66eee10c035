"""Opens networks from training runs of this project."""

from __future__ import annotations

from pathlib import Path

from vidjax.run.config import Config, ConfigError, from_mapping
from vidjax.run.network import Network
from vidjax.run.restoring import restore
from vidjax.run.sharding import adapt_to_devices
from vidjax.run.workdir import read_classes, read_config
from vidjax.storage.paths import as_path
from vidjax.trained.preprocessing import Preprocessing
from vidjax.trained.trained_network import Trained, Weights
from vidjax.trained.weights_name import WeightsName


def find(wanted: WeightsName) -> Trained | None:
    """Opens the network of a run's last checkpoint, if the path is a run's directory."""
    if not (wanted.path / "checkpoints").is_dir():
        return None
    return open_run(wanted.path)


def open_run(
    workdir: str | Path, config: Config | None = None, checkpoint: str = "last"
) -> Trained:
    """Opens the network of a run, with the views of its evaluation.

        run = vidjax.open_run("runs/mine")
        clip = vidjax.read_clip("my.mp4", run.preprocessing)
        logits = run.model.apply(run.variables, clip[None], train=False)

    Args:
      workdir: the run's directory.
      config: the run's configuration with some changed settings; None reads it, for the devices of
        this machine.
      checkpoint: a step, `best` or `last`.

    Raises:
      ValueError: there is no run, its files are damaged, or a changed setting would change the
        meaning of the logits.

    Examples:
      >>> import vidjax
      >>> from pathlib import Path
      >>> from vidjax.run.config import from_mapping
      >>> from vidjax.training.loop import train
      >>> settings = vidjax.configs.load("synthetic")("model=r3d_18")
      >>> settings.model.options = {"width": 4, "depths": (1, 0, 0, 0)}
      >>> settings.clip.update({"frames": 4, "size": 32})
      >>> settings.eval.update({"size": 32})
      >>> settings.train.duration = "1 steps"
      >>> _ = train(from_mapping(settings), Path("runs/mine"))
      on 1 x cpu...
      >>> run = vidjax.open_run("runs/mine")
      >>> run.step, run.preprocessing.clip_shape, run.classes[:2]
      (1, (4, 32, 32, 3), ('brightness 0', 'brightness 1'))
    """
    workdir = as_path(workdir)
    own = from_mapping(read_config(workdir))
    if config is None:
        config, _ = adapt_to_devices(own)
    if config.data.multi_label != own.data.multi_label:
        raise ConfigError(
            f"data.multi_label = {config.data.multi_label}: the run in {workdir} was trained with "
            f"{own.data.multi_label}"
        )
    return trained_of(Network.of(config, read_classes(workdir)), workdir, checkpoint)


def trained_of(network: Network, workdir: Path, checkpoint: str) -> Trained:
    """Combines a configuration's network with the weights of a run.

    Args:
      network: network of the run's configuration, or one with the same parameters.
      workdir: the run's directory.
      checkpoint: a step, `best` or `last`.
    """

    def read() -> Weights:
        step, state = restore(network, workdir, checkpoint)
        return Weights(state.variables, step)

    config = network.config
    return Trained(
        name=config.model.name,
        options=config.model.options,
        model=network.module,
        num_classes=len(network.classes),
        preprocessing=preprocessing_of(network),
        source=f"run {workdir.name}",
        read=read,
        classes=network.classes,
        clips=config.eval.clips,
        crops=config.eval.crops,
        multi_label=config.data.multi_label,
    )


def preprocessing_of(network: Network) -> Preprocessing:
    """Returns the preprocessing of a run: how videos are stored, and how evaluation crops them."""
    data, clip, views = network.config.data, network.config.clip, network.views
    return Preprocessing(
        frames=views.shape.frames,
        stride=clip.stride,
        size=views.size,
        short_side=views.short_side or views.size,
        mean=network.mean,
        std=network.std,
        fps=data.fps,
        sampling=clip.sampling,
        short=clip.short,
        fit=clip.fit,
        stored_side=data.short_side,
        quality=data.quality,
        stretched=views.stretched,
        flow=data.flow,
        pairs=data.flow_pairs if data.flow else 0,
    )
