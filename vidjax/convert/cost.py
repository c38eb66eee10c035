"""hikvision-research/cost: `backbone.*` and `cls_head.*`, named as in MMAction2."""

from vidjax.convert.input_normalization import IMAGENET
from vidjax.convert.key_mapping import Layout, known_normalization
from vidjax.convert.mmaction2 import HEAD, IN_BLOCK, PLAIN

_MIDDLE = "layer{layer}/block{index}/conv2/"
RULES = (
    *PLAIN,
    (IN_BLOCK + r"conv2\.conv\.fc1", _MIDDLE + "channels"),
    (IN_BLOCK + r"conv2\.conv\.fc2", _MIDDLE + "views"),
    *HEAD,
)
_VARIANTS = tuple(
    {**own, **more}
    for more in ({}, {"long_clips": True})
    for own in ({}, {"variant": "a"}, {"variant": "c2d"})
)
LAYOUTS = (
    Layout(
        "hikvision cost", RULES, {"cost_*": _VARIANTS}, (known_normalization("cost_*", IMAGENET),)
    ),
)
