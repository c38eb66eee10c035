"""Tests what a pyramid refuses, and that the error names it."""

import re

import jax
import jax.numpy as jnp
import pytest

from tests.explain import numpy_reference
from tests.explain.numpy_reference import CLIP, WEIGHTS
from tests.explain.test_class_feature_pyramids import straight
from vidjax.explain.class_feature_pyramids import class_feature_pyramid
from vidjax.explain.dataflow import UnknownPrimitiveError


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"class_index": 7}, "7"),
        ({"class_index": -1}, "-1"),
        ({"threshold": -0.1}, "-0.1"),
        ({"threshold": 1.5}, "1.5"),
        ({"depth": 0}, "0"),
        ({"depth": 4}, "4"),
        ({"mode": "kernel"}, "kernel"),
        ({"clip": CLIP[0, 0]}, "(9, 10, 3)"),
    ],
)
def test_invalid_values_are_named(options, named):
    options = {"clip": CLIP, "class_index": 0, "depth": 3} | options
    with pytest.raises(ValueError, match=rf"(?<![\d.-]){re.escape(named)}(?![\d.])"):
        class_feature_pyramid(numpy_reference.function_of(straight), WEIGHTS, **options)


def test_an_unknown_primitive_is_named_with_its_layer():
    def spectral(xp, conv, x, weights):
        x = conv("conv2", xp.maximum(conv("conv1", x), 0))
        with jax.named_scope("spectrum"):
            x = jnp.fft.fft(x, axis=1).real
        return conv("conv3", x).mean((1, 2, 3))

    with pytest.raises(UnknownPrimitiveError, match="(?s)(?=.*fft)(?=.*spectrum)"):
        class_feature_pyramid(numpy_reference.function_of(spectral), WEIGHTS, CLIP, 0, 2)
