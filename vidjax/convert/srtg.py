"""alexandrosstergiou/Squeeze-and-Recursion-Temporal-Gates: the thesis' backbones and SRTG.

Names are those of torchvision's VideoResNet, except that each middle convolution is wrapped in its
own `Sequential`, and each block has the cells of its gate.
"""

from vidjax.convert.input_normalization import Normalization
from vidjax.convert.key_mapping import Layout, known_normalization
from vidjax.convert.video_resnet import (
    BLOCK,
    CONVS,
    CONVS_2PLUS1D,
    CONVS_IP,
    ENDS,
    STEM,
    STEM_2PLUS1D,
)

NESTED = ((BLOCK + r"conv(?P<conv>\d)\.0\.0", "layer{layer}/block{index}/conv{conv}"),)
NESTED_IP = ((BLOCK + r"conv2\.0\.3\.0", "layer{layer}/block{index}/conv2/channelwise"),)
GATES = ((BLOCK + r"sar\.lstm", "layer{layer}/block{index}/gate/squeeze_recursion/recurrence"),)
INPUT = Normalization((124 / 255, 117 / 255, 104 / 255), (1 / (0.0167 * 255),) * 3)
# All published files take frames from OpenCV, but list the means in the order red, green, blue.
INPUT_BGR = Normalization(INPUT.mean[::-1], INPUT.std, "BGR")

LAYOUTS = (
    Layout(
        "SRTG R3D, ir-CSN",
        (*STEM, *NESTED, *CONVS, *GATES, *ENDS),
        {"*r3d_*_e1": ({},), "srtg_r3d_*": ({},), "ir_csn_*": ({"variant": "thesis"},)},
        (known_normalization("srtg_*", INPUT, INPUT_BGR), known_normalization("ir_csn_*", INPUT)),
    ),
    Layout(
        "SRTG ip-CSN",
        (*STEM, *NESTED_IP, *CONVS_IP[:2], *CONVS, *ENDS),
        {"ip_csn_*": ({"variant": "thesis"},)},
        (known_normalization("ip_csn_*", INPUT),),
    ),
    Layout(
        "SRTG R(2+1)D",
        (*STEM_2PLUS1D, *CONVS_2PLUS1D, *CONVS, *GATES, *ENDS),
        {"r2plus1d_*_e1": ({},), "srtg_r2plus1d_*": ({},)},
        (known_normalization("srtg_*", INPUT, INPUT_BGR),),
    ),
)
