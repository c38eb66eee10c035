"""Explanations of what a network's prediction relies on. Networks are passed as arguments."""

from vidjax.explain.class_feature_pyramids import Pyramid, class_feature_pyramid
from vidjax.explain.frequency import scaled_parts
from vidjax.explain.pyramid_json import from_json, to_json
from vidjax.explain.saliency_map import SaliencyMap, saliency_map
from vidjax.explain.saliency_tubes import SaliencyTube, saliency_tube

__all__ = [
    "Pyramid",
    "SaliencyMap",
    "SaliencyTube",
    "class_feature_pyramid",
    "from_json",
    "saliency_map",
    "saliency_tube",
    "scaled_parts",
    "to_json",
]
