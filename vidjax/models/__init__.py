"""The networks, one file for each family, built from shared blocks.

Authors of networks import from here; `Variant` describes what a network's module must define.
"""

from vidjax.models.cards import Family, ModelCard, Variant
from vidjax.models.interface import check_clip, classify, make_head
from vidjax.models.resnet import DEFINED_IN, ResNet, make_resnet
from vidjax.models.shared_options import OPTIONS
from vidjax.models.stage_blocks import DEPTHS, doubling
from vidjax.models.stem import Stem

__all__ = [
    "DEFINED_IN",
    "DEPTHS",
    "OPTIONS",
    "Family",
    "ModelCard",
    "ResNet",
    "Stem",
    "Variant",
    "check_clip",
    "classify",
    "doubling",
    "make_head",
    "make_resnet",
]
