"""Inflates the weights of image networks to video networks with the same blocks.

An image kernel becomes a kernel over time in one of two ways. `mean` repeats it over time and
divides it by the number of frames (Carreira and Zisserman: Quo Vadis, Action Recognition? A New
Model and the Kinetics Dataset, CVPR 2017, section 2.4). `center` makes it the middle frame of a
kernel that is zero elsewhere. Norms and the classifier are copied unchanged.

A still clip repeats one image. On such a clip an inflated network behaves as follows:

- `center` gives the image network's logits. Every frame is treated like the image alone, whatever
the temporal strides.
- `mean` gives the image network's features only in frames that have all their neighbours.
Convolutions pad clips with zeros at both ends, so a kernel of three frames loses a third of its
sum there. Each convolution over time carries that error one frame further inwards, so the logits
differ.
- `tsm_50` has no kernel over time, so both ways are the same. It shifts zeros in at both ends of
the clip, and each block carries them one frame further inwards, so the logits differ.
- `tam_ibm_50` weights three frames at the start of each block. Those weights start as a third
each (`mean`) or as the frame itself (`center`).
- `tam_50` has modules that no image network has. They are newly initialised, so no feature is
equal.

These networks have the blocks of torchvision's ResNets: `r3d_*`, `r3d_34_e1`, `slowonly_*`,
`tsm_50`, `tam_50` and `tam_ibm_50`. `wide_r3d_50` has those of Wide ResNet-50-2, and
`resnext3d_101` those of ResNeXt 32x4d. An `r3d_18` with a width of 16, three stages and a 3x3 stem
without stride and pool has those of the CIFAR ResNets. `i3d` cannot be inflated: nobody has
published weights of its image network, Inception v1, in a layout that vidjax reads.

TSN's networks, trained on single frames, are `tsn_50`. Their variables fit `tsm_50` without
inflation.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from vidjax.convert.checkpoint_reader import read_tensors
from vidjax.convert.image_resnet import image_layout
from vidjax.convert.input_normalization import IMAGENET, Triple
from vidjax.convert.key_mapping import Path
from vidjax.convert.loaded import Loaded
from vidjax.convert.loading import (
    Converted,
    check_allowed,
    fill_missing,
    log_report,
    refuse_misfits,
    shapes_of,
)
from vidjax.convert.state_dict import Fit, Grow, fit, ordered
from vidjax.convert.torch_pickles import CheckpointError, short
from vidjax.layers.lowering import force_lowering
from vidjax.models.model_list import model_card, variant
from vidjax.models.registry import create_model, current_options

HOW = ("mean", "center")
# Factor by which an image network's stem reduces the image, by the height of its kernel.
_SMALLER = {(7,): 4, (3,): 1}
_STEM: Path = ("params", "stem_layer", "conv", "kernel")
_HEAD: Path = ("params", "head", "kernel")
# Temporal modules that image networks lack: their weights, from the previous frame to the next.
_TAPS = ("previous", "current", "next")


def inflate(
    image_variables: Mapping[str, Any],
    name: str,
    num_classes: int | None = None,
    how: str = "mean",
    *,
    colours: tuple[Triple, Triple] | None = None,
    allow: Collection[str] = (),
    **options: Any,
) -> Converted:
    """Inflates an image network's variables to those of a video network.

    Args:
      image_variables: `{"params": ..., "batch_stats": ...}` of `resnet_50` or `cifar_resnet_110`.
      name: name of the video network, as in `list_models()`.
      num_classes: classes of the video network; None keeps the image network's. For another number
        the classifier is newly initialised.
      how: `mean` repeats kernels over time and divides them by the number of frames; `center` makes
        them the middle frame of a kernel that is zero elsewhere.
      colours: mean and std of red, green and blue in [0, 1], as in the image network's training.
        None takes those that `load_torch` found, or else ImageNet's.
      allow: as in `load_torch`.
      **options: options of the video network, as in `create_model`.

    Raises:
      ValueError: the name or an option is unknown, the network is itself an image network, or the
        weights do not fit.

    Examples:
      >>> import jax, vidjax
      >>> from vidjax.convert.inflation import inflate
      >>> small = {"width": 4, "depths": (1, 1, 1, 0)}
      >>> model = vidjax.create_model("resnet_50", num_classes=10, **small)
      >>> image = model.init(jax.random.key(0), jax.numpy.zeros((1, 1, 32, 32, 3)), train=False)
      >>> video = inflate(image, "slowonly_50", num_classes=5, **small)  # image: of load_torch
      >>> for params in (image["params"], video.variables["params"]):
      ...     print(params["layer3"]["block1"]["conv1"]["kernel"].shape)
      (1, 1, 1, 32, 16)
      (3, 1, 1, 32, 16)
    """
    flat = traverse_util.flatten_dict(dict(image_variables))
    tensors = {"/".join(path): np.asarray(value) for path, value in flat.items()}
    places: dict[str, Path] = {"/".join(path): path for path in flat}
    if colours is None and isinstance(image_variables, Loaded):
        colours = image_variables.mean, image_variables.std
    image = _Image("image network", tensors, places, colours or IMAGENET[:2])
    return _inflated(image, name, num_classes, how, allow, options)


def inflate_torch(
    name: str,
    source: str | os.PathLike[str] | Mapping[str, Any],
    num_classes: int | None = None,
    how: str = "mean",
    *,
    allow: Collection[str] = (),
    entry: str | None = None,
    **options: Any,
) -> Converted:
    """Inflates a PyTorch file of an image ResNet of any depth to a video network's weights.

    Args:
      name: name of the video network, as in `list_models()`.
      source: a file of torchvision's ResNets, or of the CIFAR ResNets of bearpaw and akamaster; it
        may be given in the forms that `load_torch` takes.
      num_classes: as in `inflate`.
      how: as in `inflate`.
      allow: as in `load_torch`.
      entry: as in `load_torch`.
      **options: options of the video network, as in `create_model`.

    Raises:
      ValueError: as in `load_torch` and `inflate`.
      FileNotFoundError: there is no such file.
    """
    tensors = read_tensors(source, entry)
    layout = image_layout(tensors)
    if layout is None:
        example = ", ".join(map(short, sorted(tensors)[:3]))
        raise CheckpointError(
            "only image ResNets with torchvision's key names can be inflated; this file has keys "
            f"such as {example}"
        )
    values = {key: ordered(tensor) for key, tensor in tensors.items()}
    first, *_ = layout.colours_of(name, {}) or (IMAGENET,)
    image = _Image(layout.name, values, layout.places(tensors), first[:2])
    return _inflated(image, name, num_classes, how, allow, options)


@dataclass(frozen=True)
class _Image:
    """An image network: its arrays in our axis order by the project's names, and their paths.

    Attributes:
      layout: name of the project, for the report.
      tensors: arrays by the names in their source.
      places: path of each array.
      colours: mean and std.
    """

    layout: str
    tensors: Mapping[str, np.ndarray]
    places: Mapping[str, Path]
    colours: tuple[Triple, Triple]

    def shape(self, path: Path) -> tuple[int, ...]:
        """Returns the shape of the array for a path, or () if there is none."""
        found = (self.tensors[key].shape for key, place in self.places.items() if place == path)
        return next(found, ())


def _inflated(
    image: _Image,
    name: str,
    num_classes: int | None,
    how: str,
    allow: Collection[str],
    options: Mapping[str, Any],
) -> Converted:
    clip = model_card(name).clip
    check_allowed(allow)
    if how not in HOW:
        raise ValueError(f"how = {how!r}: one of {', '.join(HOW)}")
    if clip[0] == 1:
        raise ValueError(f"{name} is an image network itself: load the weights without inflation")
    classes = _classes(image) if num_classes is None else num_classes
    trials = []
    for own in _variants(name):
        chosen = {**own, **current_options(name, options)}
        model = create_model(name, num_classes=classes, **chosen)
        shapes = shapes_of(model, clip)
        fitted = fit(image.layout, image.tensors, image.places, shapes, np.asarray, _grow(how))
        trials.append((_over_time(fitted, shapes, how), chosen, model))
    fitted, chosen, model = min(trials, key=lambda trial: trial[0].report.misfits)
    refuse_misfits(name, fitted.report, allow)
    _check_stem(image, name, model, clip)
    log_report(name, fitted.report)
    # A matrix over time fits one number of frames only.
    frames = clip[0] if any("global1" in path for path in fitted.report.added) else None
    variables = fill_missing(model, clip, fitted)
    return Converted(variables, chosen, classes, *image.colours, frames, fitted.report)


def _variants(name: str) -> tuple[dict[str, Any], ...]:
    """Returns the options to try: CIFAR's image networks may have parameter-free shortcuts."""
    return ({}, {"shortcut": "pad_around"}) if "shortcut" in variant(name).options else ({},)


def _classes(image: _Image) -> int:
    shape = image.shape(_HEAD)
    if len(shape) != 2 or not shape[1]:
        raise CheckpointError("these weights have no classifier: pass num_classes")
    return shape[1]


def _grow(how: str) -> Grow:
    """Returns a function that inflates image kernels `[h, w, i, o]` or `[1, h, w, i, o]`."""

    def grow(value: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
        still = value[0] if value.ndim == 5 and value.shape[0] == 1 else value
        if len(shape) != 5 or shape[0] == 1 or still.shape != shape[1:]:
            return None
        return _shares(how, shape[0]).reshape(-1, 1, 1, 1, 1) * still

    return grow


def _shares(how: str, frames: int) -> np.ndarray:
    """Returns the share of the image kernel that each frame gets, float32 `[frames]`."""
    if how == "mean":
        return np.full(frames, 1 / frames, np.float32)
    if frames % 2 == 0:
        raise ValueError(f"a kernel over {frames} frames has no middle frame: pass how='mean'")
    return np.eye(1, frames, frames // 2, dtype=np.float32)[0]


def _over_time(fitted: Fit, shapes: Mapping[Path, tuple[int, ...]], how: str) -> Fit:
    """Adds the weights of neighbouring frames; other temporal modules are newly initialised."""
    values, report = dict(fitted.values), fitted.report
    lacking = [path for path in shapes if path not in values]
    for path in lacking:
        if path[-2:-1] == ("enter",) and path[-1] in _TAPS:
            share = _shares(how, len(_TAPS))[_TAPS.index(path[-1])]
            values[path] = np.full(shapes[path], share, np.float32)
    new = {"/".join(path[1:]) for path in lacking if path not in values and "adapt" in path}
    taps = {"/".join(path[1:]) for path in lacking if path in values}
    changed = dataclasses.replace(
        report,
        inflated=(*report.inflated, *sorted(taps)),
        added=(*report.added, *sorted(new)),
        missing=tuple(name for name in report.missing if name not in new | taps),
    )
    return Fit(changed, values)


def _check_stem(image: _Image, name: str, model: nn.Module, clip: tuple[int, int, int]) -> None:
    """Refuses a stem whose strides or pool differ from the image network's; shapes cannot tell."""
    size = image.shape(_STEM)[-3:-2]
    if size not in _SMALLER:
        return
    batch = jax.ShapeDtypeStruct((1, *clip, 3), jnp.float32)

    def sown(x: jax.Array) -> Any:
        variables = model.init(jax.random.key(0), x, train=False)
        return model.apply(variables, x, train=False, mutable=["intermediates"])[1]

    with force_lowering("lax"):
        (stem,) = jax.eval_shape(sown, batch)["intermediates"]["stem"]
    expected = clip[1] // _SMALLER[size]
    if stem.shape[2] != expected:
        raise ValueError(
            f"after its stem the image network has {expected} from images of {clip[1]} pixels, but "
            f"{name} has {stem.shape[2]}: choose stem_strides and stem_pool so that both are equal"
        )
