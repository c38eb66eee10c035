"""Tests that every configuration names an existing data set with options that it accepts."""

import importlib
import inspect
import pkgutil

import pytest

import configs
from configs import common
from vidjax.data import catalog

FILES = [module.name for module in pkgutil.iter_modules(configs.__path__)]
FILES = [
    name for name in FILES if hasattr(importlib.import_module(f"configs.{name}"), "get_config")
]


@pytest.mark.parametrize("name", FILES)
def test_a_configuration_names_an_existing_data_set(name):
    data = importlib.import_module(f"configs.{name}").get_config().data
    if data.name in ("synthetic", "marionette", "video_folder"):
        return
    assert data.manual_dir == f"videos/{data.name}"
    module = importlib.import_module(f"vidjax.data.builders.{data.name}")
    read = getattr(module.prepare.__self__, "read", None)
    assert set(data.options) <= (set(inspect.signature(read).parameters) if read else set())


def test_descriptions_of_data_sets_name_their_source():
    for name in catalog.list_datasets():
        text = catalog.describe(name)
        assert name in ("marionette", "video_folder") or "From http" in text
        assert "\n" in text or name in ("marionette", "video_folder")


def test_a_published_data_set_is_in_a_folder_of_its_name():
    config = common.base()
    common.published(config, "ucf101", split=2)
    assert (config.data.name, config.data.manual_dir) == ("ucf101", "videos/ucf101")
    assert config.data.options.split == 2
