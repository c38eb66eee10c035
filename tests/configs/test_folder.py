"""The configuration for one's own videos trains any network, also of other packages."""

import types

import flax.linen as nn
import pytest

import vidjax
from configs import folder
from vidjax import plugins
from vidjax.models import ModelCard, Variant


def options(argument=None):
    return folder.get_config(argument).model.options.to_dict()


@pytest.mark.parametrize("name", vidjax.list_models())
def test_every_network_takes_the_options_of_the_configuration(name):
    vidjax.create_model(name, num_classes=3, **options(f"model={name}"))


def test_a_named_network_has_its_own_options():
    assert options() == {"width": 16, "zero_init": True}
    assert options("width=4") == {"width": 4, "zero_init": True}
    assert options("model=r3d_18") == options("model=i3d") == {}
    assert options("model=r3d_18,width=4") == {"width": 4}


@pytest.fixture
def registered(monkeypatch):
    """Forgets the modules that a test registers."""
    monkeypatch.setattr(plugins, "_registered", {})
    yield
    monkeypatch.undo()
    plugins.refresh()


@pytest.mark.usefixtures("registered")
def test_a_network_of_another_package_needs_none_of_these_options():
    class Bare(nn.Module):
        num_classes: int
        slots: tuple
        dtype: object

    card = ModelCard(
        name="bare",
        clip=(4, 32, 32),
        frame_stride=1,
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        paper="a test",
        tables=(),
        params=0,
        macs=0,
    )
    module = types.ModuleType("bare")
    module.VARIANTS = (Variant(card, build=Bare, options={}, methods=(), stages=()),)
    plugins.register("vidjax.models", "bare", module)
    assert options("model=bare") == {}
