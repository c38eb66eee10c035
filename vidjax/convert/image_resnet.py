"""Image ResNets with torchvision's names: torchvision's own, and ResNets for CIFAR."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vidjax.convert import non_local
from vidjax.convert.hara import RULES
from vidjax.convert.input_normalization import IMAGENET, Normalization
from vidjax.convert.key_mapping import IGNORED, Layout, Options, known_normalization

# The paper's networks, with projection shortcuts or zero-padded shortcuts.
_CIFAR: tuple[Options, ...] = (
    {},
    {"shortcut": "pad_around"},
    {"block": "bottleneck", "depths": (12, 12, 12)},
)
TORCHVISION = Layout(
    "torchvision image", RULES, {"resnet_*": ({},)}, (known_normalization("*", IMAGENET),)
)
_ATTENDS = (("t", "query"), ("p", "key"), ("g", "value"), ("z", "expand"), ("bn|gn", "norm"))
BEARPAW = Layout(
    "bearpaw pytorch-classification",
    RULES,
    {"cifar_resnet_*": _CIFAR},
    (known_normalization("*", Normalization((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))),),
)
# Its classifier has another name, and it was trained with ImageNet's normalisation.
AKAMASTER = Layout(
    "akamaster pytorch_resnet_cifar10",
    (*(rule for rule in RULES if rule[1] != "head"), (r"linear", "head")),
    {"cifar_resnet_*": _CIFAR},
    (known_normalization("*", IMAGENET),),
)
# Compact global descriptors, and non-local attention before the last block of stage 3.
CGD = Layout(
    "Compact-Global-Descriptor image",
    non_local.CGD,
    {"resnet_50": ({"cgd": {}},)},
    (known_normalization("*", IMAGENET),),
)
_BEFORE_LAST = {"stages": (3,), "every": 5}
CGNL = Layout(
    "cgnl-network.pytorch image",
    (
        *((rf"layer3\.5\.({torch})", f"layer3/block5/gate/{ours}") for torch, ours in _ATTENDS),
        (r"layer3\.6\.conv(?P<conv>\d)", "layer3/block6/conv{conv}"),
        (r"layer3\.6\.bn(?P<conv>\d)", "layer3/block6/norm{conv}"),
        *RULES,
    ),
    {"resnet_50": ({"non_local": {"variant": "cgnl", **_BEFORE_LAST}}, {"cgnl": _BEFORE_LAST})},
    (known_normalization("*", IMAGENET),),
)
LAYOUTS = (TORCHVISION, BEARPAW, AKAMASTER, CGD, CGNL)
# Chosen by the width of the first convolution, which is narrower for CIFAR's small images.
_BY_STEM = {7: (TORCHVISION,), 3: (BEARPAW, AKAMASTER)}


def image_layout(tensors: Mapping[str, np.ndarray]) -> Layout | None:
    """Returns the layout of an image network's tensors, or None for any other network."""
    keys = [key for key in tensors if not key.endswith(IGNORED)]
    stem = tensors.get("conv1.weight")
    if stem is None or stem.ndim != 4:
        return None
    for layout in _BY_STEM.get(stem.shape[-1], ()):
        if len(layout.places(keys)) == len(keys):
            return layout
    return None
