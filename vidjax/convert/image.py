"""Image ResNets with torchvision's names: torchvision's own, and those for CIFAR."""

from vidjax.convert.hara import RULES
from vidjax.convert.layout import IMAGENET, Colours, Layout

# The paper's networks, with projections or with empty channels.
_CIFAR = (
    {},
    {"shortcut": "pad_around"},
    {"block": "bottleneck", "depths": (12, 12, 12)},
)
_BEARPAW: Colours = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))

LAYOUTS = (
    Layout("torchvision image", RULES, {"resnet_*": ({},)}),
    Layout(
        "bearpaw pytorch-classification",
        RULES,
        {"cifar_resnet_*": _CIFAR},
        {"cifar_resnet_*": _BEARPAW},
    ),
    # Its classifier has another name, and it was trained with the colours of ImageNet.
    Layout(
        "akamaster pytorch_resnet_cifar10",
        (*(rule for rule in RULES if rule[1] != "head"), (r"linear", "head")),
        {"cifar_resnet_*": _CIFAR},
        {"cifar_resnet_*": IMAGENET},
    ),
)
