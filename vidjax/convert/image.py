"""torchvision's ResNet, and ResNets for CIFAR by bearpaw and akamaster, with the same names."""

from vidjax.convert.hara import RULES
from vidjax.convert.layout import Layout

LAYOUTS = (
    Layout(
        "torchvision image",
        (*RULES, (r"linear", "head")),
        {
            "resnet_*": ({},),
            "cifar_resnet_*": (
                {},
                {"shortcut": "pad_around"},
                {"block": "bottleneck", "depths": (12, 12, 12)},
            ),
        },
    ),
)
