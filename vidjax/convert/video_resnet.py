"""torchvision's VideoResNet, and VMZ's networks based on it: R3D, R(2+1)D, ip-CSN and ir-CSN."""

from vidjax.convert.input_normalization import Normalization
from vidjax.convert.key_mapping import Layout, known_normalization

BLOCK = r"layer(?P<layer>\d)\.(?P<index>\d+)\."
ENDS = (
    (BLOCK + r"downsample\.0", "layer{layer}/block{index}/shortcut/conv"),
    (BLOCK + r"downsample\.1", "layer{layer}/block{index}/shortcut/norm"),
    (r"fc", "head"),
)
STEM = ((r"stem\.0", "stem_layer/conv"), (r"stem\.1", "stem_layer/norm"))
STEM_2PLUS1D = (
    (r"stem\.0", "stem_layer/conv/space"),
    (r"stem\.1", "stem_layer/conv/norm"),
    (r"stem\.3", "stem_layer/conv/time"),
    (r"stem\.4", "stem_layer/norm"),
)
CONVS = (
    (BLOCK + r"conv(?P<conv>\d)\.0", "layer{layer}/block{index}/conv{conv}"),
    (BLOCK + r"conv(?P<conv>\d)\.1", "layer{layer}/block{index}/norm{conv}"),
)
CONVS_2PLUS1D = (
    (BLOCK + r"conv(?P<conv>\d)\.0\.0", "layer{layer}/block{index}/conv{conv}/space"),
    (BLOCK + r"conv(?P<conv>\d)\.0\.1", "layer{layer}/block{index}/conv{conv}/norm"),
    (BLOCK + r"conv(?P<conv>\d)\.0\.3", "layer{layer}/block{index}/conv{conv}/time"),
)
CONVS_IP = (
    (BLOCK + r"conv2\.0\.0", "layer{layer}/block{index}/conv2/point"),
    (BLOCK + r"conv2\.0\.1", "layer{layer}/block{index}/conv2/norm"),
    (BLOCK + r"conv2\.0\.2", "layer{layer}/block{index}/conv2/channelwise"),
)
# torchvision's R3D has a smaller stem than Hara's, without a pool.
TORCHVISION_R3D = {"stem_kernel": (3, 7, 7), "stem_pool": False}
VMZ_COLOURS = Normalization((0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989))

LAYOUTS = (
    Layout(
        "torchvision R3D, VMZ ir-CSN",
        (*STEM, *CONVS, *ENDS),
        {"r3d_*_e1": (), "r3d_*": (TORCHVISION_R3D,), "ir_csn_*": ({},)},
        (known_normalization("r3d_*", VMZ_COLOURS),),
    ),
    Layout("VMZ ip-CSN", (*STEM, *CONVS_IP, *CONVS, *ENDS), {"ip_csn_*": ({},)}),
    Layout(
        "VMZ or torchvision R(2+1)D",
        (*STEM_2PLUS1D, *CONVS_2PLUS1D, *CONVS, *ENDS),
        {"r2plus1d_*_e1": (), "r2plus1d_*": ({}, {"variant": "torchvision"})},
    ),
)
