"""Tests which layer has enough cells to locate something."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vidjax.explain.layer_lookup import features_at
from vidjax.explain.map_resolution import finer_layer, is_coarse
from vidjax.explain.traced_network import trace_network


class Halving(nn.Module):
    """Has convolutions `layer1`, `layer2`, ... that halve frames and sides, and a classifier."""

    depth: int

    @nn.compact
    def __call__(self, x):
        for number in range(1, self.depth + 1):
            x = nn.relu(nn.Conv(3, (3, 3, 3), strides=(2, 2, 2), name=f"layer{number}")(x))
        return nn.Dense(2, name="head")(x.mean((1, 2, 3)))


@pytest.mark.parametrize(
    ("clip", "depth", "layer"),
    [
        ((8, 32, 32), 4, "layer2"),
        ((8, 32, 32), 3, "layer2"),
        # layer3 has 2 x 8 x 8 cells.
        ((16, 64, 64), 4, "layer3"),
        # One cell in time is enough for a clip of one frame.
        ((1, 64, 64), 5, "layer4"),
        ((2, 4, 4), 1, None),
    ],
)
def test_the_last_layer_with_enough_cells_is_suggested(clip, depth, layer):
    model, given = Halving(depth), jnp.zeros((1, *clip, 3))
    variables = model.init(jax.random.key(0), given)
    graph = trace_network(model, variables, given).graph
    assert finer_layer(graph, clip) == layer
    if layer:
        (own,) = features_at(graph, layer)
        times, height, width = own.value.shape[1:4]
        assert not is_coarse([(times, height, width)], clip)


def test_one_coarse_axis_is_too_few_cells():
    clip = (16, 112, 112)
    assert is_coarse([(1, 7, 7)], clip)
    assert is_coarse([(2, 7, 3)], clip)
    assert not is_coarse([(2, 4, 4)], clip)
    # With several groups, the finest one counts.
    assert not is_coarse([(1, 7, 7), (8, 7, 7)], clip)
    assert not is_coarse([np.zeros((1, 4, 4)).shape], (1, 4, 4))
