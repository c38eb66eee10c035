import flax.linen as nn
import pytest

import vidjax
from vidjax.evaluation.cost import count_cost
from vidjax.layers.conv import Conv


class Small(nn.Module):
    @nn.compact
    def __call__(self, x, *, train=False):
        x = Conv(8, (3, 3, 3), (1, 2, 2), name="dense")(x)
        x = Conv(8, (1, 3, 3), groups=4, name="grouped")(x)
        x = Conv(8, (3, 1, 1), groups=8, use_bias=True, name="channelwise")(x)
        return nn.Dense(5, name="head")(x.mean((1, 2, 3)))


def test_counts_are_those_of_the_formula():
    cost = count_cost(Small(), (4, 10, 12))
    outputs = 4 * 5 * 6 * 8
    expected = {
        "dense": (27 * 3 * 8, outputs * 27 * 3),
        "grouped": (9 * 2 * 8, outputs * 9 * 2),
        "channelwise": (3 * 8 + 8, outputs * 3),
        "head": (8 * 5 + 5, 8 * 5),
    }
    assert {row.layer: (row.params, row.macs) for row in cost.by_layer} == expected
    assert cost.params == sum(params for params, _ in expected.values())
    assert cost.macs == sum(macs for _, macs in expected.values())


def test_a_batch_costs_as_many_clips():
    one, three = (count_cost(Small(), (n, 4, 8, 8, 3)) for n in (1, 3))
    assert three.macs == 3 * one.macs
    assert three.params == one.params


def test_the_table_names_every_layer_and_the_sum():
    text = str(count_cost(vidjax.create_model("r3d_18", width=8), (8, 32, 32)))
    lines = text.splitlines()
    assert lines[0].split() == ["layer", "parameters", "multiply-adds"]
    assert any(line.startswith("layer4/block2/conv2 ") for line in lines)
    assert lines[-1].startswith("all ")
    assert not any("conv1  0 " in line for line in lines)


def test_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"clip_shape = \(4, 8\)"):
        count_cost(Small(), (4, 8))


def test_the_largest_network_is_counted_without_its_memory():
    # 118 million parameters at 64 frames of 1024 pixels: the activations would take 100 GB.
    cost = count_cost(vidjax.create_model("r3d_152"), (64, 1024, 1024))
    assert cost.macs > 5e12
