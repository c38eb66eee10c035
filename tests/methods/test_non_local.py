"""Tests the positions of non-local blocks, and that a network without any is refused."""

import jax
import pytest
from flax.traverse_util import flatten_dict

import vidjax


def blocks(**options):
    """Returns the paths of the non-local blocks of a network."""
    model = vidjax.create_model("r3d_50", num_classes=3, width=8, **options)
    clip = jax.ShapeDtypeStruct((1, 4, 64, 64, 3), "float32")
    shapes = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), clip)
    paths = flatten_dict(shapes["params"]).keys()
    return sorted({path[: path.index("gate")] for path in paths if "gate" in path})


@pytest.mark.parametrize("option", ["non_local", "cgnl"])
def test_blocks_follow_the_setting_every(option):
    found = blocks(depths=(1, 4, 3, 1), **{option: {"every": 3}})
    assert found == [("layer2", "block3"), ("layer3", "block3")]
    assert len(blocks(depths=(1, 4, 3, 1), **{option: {}})) == 3


@pytest.mark.parametrize("option", ["non_local", "cgnl"])
@pytest.mark.parametrize(
    ("depths", "settings", "message"),
    [
        ((3, 4, 6, 3), {"every": 7}, r"stages \(2, 3\) have at most 6 blocks; set it to 6"),
        ((3, 4, 6, 3), {"every": 4, "stages": (1, 4)}, r"stages \(1, 4\) have at most 3 blocks"),
        ((1, 1, 1, 1), {"every": 2}, r"stages \(2, 3\) have at most 1 block; set it to 1"),
    ],
)
def test_an_interval_without_any_block_is_refused_in_one_line(option, depths, settings, message):
    start = rf"{option} every = {settings['every']}: no block would get one, because "
    with pytest.raises(ValueError, match=start + message) as caught:
        vidjax.create_model("r3d_50", num_classes=3, width=8, depths=depths, **{option: settings})
    assert "\n" not in str(caught.value)


def test_stages_of_one_block_get_one_by_default():
    assert len(blocks(depths=(1, 1, 1, 1), non_local={})) == 2
