import flax.linen as nn
import jax.numpy as jnp
import pytest

import vidjax
from vidjax.models.stage_depths import stage_depths

SHAPE = (1, 8, 32, 32, 3)
RESNET = {"stem_layer": 0, "layer1": 1, "layer2": 2, "layer3": 3, "layer4": 4, "head": 5}


def depths(name, shape=SHAPE, **options):
    model = vidjax.create_model(name, num_classes=3, **options)
    found = stage_depths(model, shape)
    return {module: depth for module, depth in found.items() if "Dropout" not in module}


def test_a_residual_network_is_as_deep_as_its_stages():
    assert depths("r3d_18", width=4) == RESNET
    assert depths("r3d_18", width=4, class_reg={}, remat=(1,)) == RESNET
    assert depths("r3d_50", width=4, depths=(1, 1, 8, 1), scan=True) == RESNET


def test_pathways_side_by_side_are_equally_deep():
    found = depths("slowfast_50", width=8, depths=(1, 1, 1, 1))
    assert found["slow_stem_layer"] == found["fast_stem_layer"] == 0
    for stage in (1, 2, 3, 4):
        names = (f"slow_layer{stage}", f"fast_layer{stage}", f"lateral{stage}")
        assert {found[name] for name in names} == {stage}
    assert found["head"] == 5


@pytest.mark.parametrize(
    "name",
    [
        "mfnet",
        *(pytest.param(x, marks=pytest.mark.slow) for x in ("i3d", "x3d_s", "blvnet_tam_50")),
    ],
)
def test_modules_of_other_families_have_the_depth_of_their_stage(name):
    found = depths(name, (1, vidjax.model_card(name).clip[0], 64, 64, 3))
    for module, depth in found.items():
        stage = module.removeprefix("after_stage").removeprefix("layer")[0]
        if stage.isdecimal():
            assert depth == int(stage), module
        elif module.startswith(("stem", "entrance")):
            assert depth == 0, module
        else:
            assert depth == 5, module


class Plain(nn.Module):
    @nn.compact
    def __call__(self, clip, *, train=False):
        return nn.Dense(3)(jnp.mean(clip, (1, 2, 3)))


class Idle(nn.Module):
    @nn.compact
    def __call__(self, clip, *, train=False):
        other = nn.Dense(3, name="other")
        if self.is_initializing():
            other(clip)
        x = nn.Dense(3, name="used")(jnp.mean(clip, (1, 2, 3)))
        self.sow("intermediates", "stage1", x)
        return x


def test_a_network_that_sows_no_stages_is_refused():
    with pytest.raises(ValueError, match="sows no stages"):
        stage_depths(Plain(), SHAPE)
    with pytest.raises(ValueError, match="'other', which it does not call"):
        stage_depths(Idle(), SHAPE)
