"""Tests old names of options in Python, configurations, stored folders and the command line."""

import jax
import jax.numpy as jnp
import pytest

import vidjax
from configs import class_reg
from vidjax.models.registry import current_options
from vidjax.models.renamed_options import _announce, with_new_names
from vidjax.run.config import from_mapping
from vidjax.run.defaults import defaults

TINY = {"width": 4, "depths": (1, 0, 0, 0)}


def program(name, **options):
    """Returns all operations of a network as text."""
    model = vidjax.create_model(name, num_classes=3, **TINY, **options)
    clip = jnp.zeros((1, 4, 32, 32, 3))
    variables = jax.eval_shape(lambda: model.init(jax.random.key(0), clip, train=False))
    return str(jax.make_jaxpr(lambda own: model.apply(own, clip, train=False))(variables))


@pytest.fixture(autouse=True)
def _from_the_start():
    _announce.cache_clear()


def test_an_old_name_makes_the_same_network_and_the_new_name_is_printed(capsys):
    new = program("r2plus1d_18", variant="torchvision")
    assert capsys.readouterr().err == ""
    for _ in range(2):
        assert program("r2plus1d_18", form="torchvision") == new
    assert capsys.readouterr().err == "the option form is now called variant\n"
    assert program("r2plus1d_18") != new


@pytest.mark.parametrize("several", [lambda value: value, lambda value: (value,)])
def test_an_old_setting_of_a_method_does_the_same(several, capsys):
    old, new = (
        program("r3d_18", class_reg=several({name: "icip"})) for name in ("form", "variant")
    )
    assert old == new != program("r3d_18", class_reg={})
    assert capsys.readouterr().err == "the option class_reg form is now called class_reg variant\n"


def test_a_stored_configuration_gets_the_new_names():
    config = defaults()
    config.model.name = "i3d_r50"
    config.model.options = {"form": "pyslowfast", "non_local": {"form": "cgnl"}}
    options = from_mapping(config).model.options
    assert options == {"variant": "pyslowfast", "non_local": {"variant": "cgnl"}}


def test_a_configuration_takes_the_old_argument(capsys):
    old, new = (class_reg.get_config(f"{name}=icip") for name in ("form", "variant"))
    assert old.to_dict() == new.to_dict()
    assert capsys.readouterr().err == "the config argument 'form' is now called 'variant'\n"


def test_both_names_are_refused():
    with pytest.raises(ValueError, match="form is now called variant, and both are given"):
        vidjax.create_model("x3d_s", form="mmaction2", variant="mmaction2")


def test_an_existing_option_with_an_old_name_is_kept(capsys):
    assert with_new_names({"form": 1}, {"form", "variant"}) == {"form": 1}
    assert with_new_names({"form": 1}, {"width"}) == {"form": 1}
    assert capsys.readouterr().err == ""
    with pytest.raises(ValueError, match="r3d_18 has no option 'form'"):
        vidjax.create_model("r3d_18", form="torchvision")


def test_options_that_were_given_are_not_changed():
    given = {"class_reg": {"form": "icip"}}
    assert current_options("r3d_18", given) == {"class_reg": {"variant": "icip"}}
    assert given == {"class_reg": {"form": "icip"}}
