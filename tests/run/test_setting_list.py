"""Tests that every setting is listed with its allowed values, default and meaning."""

import dataclasses
import typing

from vidjax.docstrings import meanings
from vidjax.run.config import Config, from_mapping, to_mapping
from vidjax.run.defaults import defaults
from vidjax.run.setting_list import TABLES, settings

# Their allowed values are defined by the network, the data set and the optimiser.
FREE = {"model.options", "data.options", "optimizer.options"}


def test_no_setting_lacks_a_meaning_or_a_range():
    listed = settings()
    assert [each.path for each in listed if not each.meaning] == []
    assert {each.path for each in listed if not each.allowed} == FREE
    for each in listed:
        group, _, name = each.path.rpartition(".")
        if each.path not in FREE:
            value = tuple(each.default) if isinstance(each.default, list) else each.default
            assert TABLES[group][name].accepts(value), each


def test_the_listing_and_the_classes_have_the_same_settings():
    hints = typing.get_type_hints(Config)
    expected = set()
    for name, kind in hints.items():
        inside = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
        expected |= {f"{name}.{item.name}" for item in inside} or {name}
    listed = [each.path for each in settings()]
    assert set(listed) == expected
    assert len(listed) == len(expected)


def test_meanings_belong_to_existing_settings():
    for kind in (Config, *typing.get_type_hints(Config).values()):
        if dataclasses.is_dataclass(kind):
            assert set(meanings(kind)) == {item.name for item in dataclasses.fields(kind)}, kind


def test_other_values_are_shown_as_the_defaults():
    config = to_mapping(from_mapping(defaults()))
    config["optimizer"]["lr"] = 0.25
    found = {each.path: each.default for each in settings(config)}
    assert found["optimizer.lr"] == 0.25
    assert found["train.batch_size"] == defaults().train.batch_size
