"""kenshohara/3D-ResNets-PyTorch: 3D ResNets, wide and ResNeXt, R(2+1)D."""

from vidjax.convert.input_normalization import Normalization
from vidjax.convert.key_mapping import Layout, known_normalization

BLOCK = r"layer(?P<layer>\d)\.(?P<index>\d+)\."
RULES = (
    (r"conv1", "stem_layer/conv"),
    (r"bn1", "stem_layer/norm"),
    (r"conv1_s", "stem_layer/conv/space"),
    (r"bn1_s", "stem_layer/conv/norm"),
    (r"conv1_t", "stem_layer/conv/time"),
    (r"bn1_t", "stem_layer/norm"),
    (BLOCK + r"conv(?P<conv>\d)", "layer{layer}/block{index}/conv{conv}"),
    (BLOCK + r"bn(?P<conv>\d)", "layer{layer}/block{index}/norm{conv}"),
    (BLOCK + r"conv(?P<conv>\d)_s", "layer{layer}/block{index}/conv{conv}/space"),
    (BLOCK + r"bn(?P<conv>\d)_s", "layer{layer}/block{index}/conv{conv}/norm"),
    (BLOCK + r"conv(?P<conv>\d)_t", "layer{layer}/block{index}/conv{conv}/time"),
    (BLOCK + r"bn(?P<conv>\d)_t", "layer{layer}/block{index}/norm{conv}"),
    (BLOCK + r"downsample\.0", "layer{layer}/block{index}/shortcut/conv"),
    (BLOCK + r"downsample\.1", "layer{layer}/block{index}/shortcut/norm"),
    (r"fc", "head"),
)
# Normalisation in the code of 2020, and in the files of 2018, which subtract a mean from 0..255
# and do not divide.
NEWER = Normalization((0.4345, 0.4051, 0.3775), (0.2768, 0.2713, 0.2737))
OLDER = Normalization((114.7748 / 255, 107.7354 / 255, 99.475 / 255), (1 / 255, 1 / 255, 1 / 255))
# The files of 2018 have parameter-free shortcuts (A) at depths 18 and 34. In the newest code the
# stem of wide networks has 128 channels.
LAYOUTS = (
    Layout(
        "3D-ResNets-PyTorch",
        RULES,
        {
            "r3d_*_e1": (),
            "r3d_*": ({}, {"shortcut": "pad"}),
            "wide_r3d_50": ({}, {"stem_width": 128}),
            "resnext3d_*": ({}, {"stem_width": 128}),
            "r2plus1d_*_e1": (),
            "r2plus1d_*": ({"variant": "hara"},),
        },
        (
            known_normalization("r2plus1d_*", NEWER),
            known_normalization("*", OLDER, shortcut="pad"),
            known_normalization("r3d_18", NEWER),
            known_normalization("r3d_34", NEWER),
            known_normalization("r3d_*", NEWER, OLDER),
            known_normalization("*", NEWER, stem_width=128),
            known_normalization("*", OLDER),
        ),
    ),
)
