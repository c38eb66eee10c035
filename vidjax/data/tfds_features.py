"""The TFDS features of a prepared data set, and their serialization: equal examples, equal bytes.

Because the features are TFDS's, every user of TFDS can read the data set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core.example_serializer import ExampleSerializer

from vidjax.data.optical_flow import X, Y


def features_of(
    classes: Sequence[str], *, multi_label: bool, flow: bool = False
) -> tfds.features.FeaturesDict:
    """Returns the TFDS features of a video.

    Args:
      classes: class names in the order of their indices.
      multi_label: whether a video may have several labels.
      flow: whether optical flow, as separate x and y images, is stored instead of frames.
    """
    label = tfds.features.ClassLabel(names=list(classes))
    return tfds.features.FeaturesDict(
        {
            **({X: _pictures(1), Y: _pictures(1)} if flow else {"frames": _pictures(3)}),
            **({"labels": tfds.features.Sequence(label)} if multi_label else {"label": label}),
            "video": tfds.features.Text(),
            "group": tfds.features.Text(),
            "fps": np.float32,
        }
    )


def _pictures(channels: int) -> tfds.features.Sequence:
    shape = (None, None, channels)
    return tfds.features.Sequence(tfds.features.Image(shape=shape, encoding_format="jpeg"))


class Serializer:
    """Serializes examples to records.

    Args:
      features: features of the data set.
    """

    def __init__(self, features: tfds.features.FeaturesDict) -> None:
        self._features = features
        self._serializer = ExampleSerializer(features.get_serialized_info())

    def __call__(self, example: Mapping[str, Any]) -> bytes:
        """Serializes an example.

        Without `deterministic`, Protocol Buffers write the features in arbitrary order.
        """
        message = self._serializer.get_tf_example(self._features.encode_example(example))
        record: bytes = message.SerializeToString(deterministic=True)
        return record
