"""Tests that every setting has a range, and that values outside of it are refused in one line."""

import dataclasses
import importlib
import math
import pkgutil
import re
import typing

import numpy as np
import pytest

import vidjax
from configs import synthetic
from vidjax.data.multigrid import SETTINGS
from vidjax.data.pipeline import AUGMENT, CLIP
from vidjax.run.config import Config, ConfigError, from_mapping
from vidjax.run.setting_ranges import ALLOWED
from vidjax.settings import Kind

TABLES = {**ALLOWED, "clip": CLIP, "augment": AUGMENT, "multigrid": SETTINGS}
# Names and values of options are defined by the network, method or data set.
OPTIONS = {"model.options", "data.options", "optimizer.options"}
TUPLES = {"schedule.boundaries", "train.frozen", "writers"}
NUMBER = r"(-?[0-9][0-9_.e+-]*)"
RANGE = re.compile(rf"in ([\[(]){NUMBER}, {NUMBER}([\])])")
NUMBERS = [math.nan, math.inf, -math.inf, 10**30, -(10**30), 1e300, True]
THINGS = [None, "", (), {}, [], "8x", b"1", ((),), {"a": 1}, "x" * 100_000, "\0", "9" * 5000]


def fields():
    """Yields path, type and allowed values of each setting of a configuration."""
    hints = typing.get_type_hints(Config)
    groups = {name: kind for name, kind in hints.items() if dataclasses.is_dataclass(kind)}
    plain = {name: kind for name, kind in hints.items() if name not in groups}
    for name, kind in plain.items():
        yield name, kind, TABLES[""].get(name)
    for group, cls in groups.items():
        for name, kind in typing.get_type_hints(cls).items():
            yield f"{group}.{name}", kind, TABLES[group].get(name)


FIELDS = {path: (hint, kind) for path, hint, kind in fields() if path not in OPTIONS}


def numbers_of(hint):
    """Returns the number types that a type contains, also in tuples."""
    inside = {each for arg in typing.get_args(hint) for each in numbers_of(arg)}
    return inside | ({hint} if hint in (int, float) else set())


def refused(path, value):
    """Returns the error line that refuses a value; None if the value is allowed."""
    config = synthetic.get_config().to_dict()
    group, _, name = path.rpartition(".")
    (config[group] if group else config)[name] = value
    try:
        from_mapping(config)
    except ValueError as error:
        text = str(error)
        assert "\n" not in text
        assert len(text) < 1000
        assert path in text
        return text
    return None


@pytest.mark.parametrize("path", FIELDS)
def test_each_setting_has_a_range_or_a_list_of_values(path):
    hint, kind = FIELDS[path]
    assert kind is not None, f"{path} has no entry in a table of what is allowed"
    if numbers_of(hint) and "batch_norm" not in path:
        assert RANGE.search(kind.text) or kind.text.startswith("one of"), kind.text


@pytest.mark.parametrize("path", FIELDS)
def test_values_outside_of_the_range_are_refused_and_its_ends_accepted(path):
    hint, kind = FIELDS[path]
    for opening, low, high, closing in RANGE.findall(kind.text):
        count = re.match(r"(\d) values", kind.text)
        wrap = (lambda x, n=int(count[1]): (x,) * n) if count else lambda x: x
        wrap = (lambda x: (x, x)) if "two values" in kind.text else wrap
        wrap = (lambda x: {"head": x}) if "by name" in kind.text else wrap
        if float in numbers_of(hint):
            low, high = float(low), float(high)
            below, above = np.nextafter([low, high], [-np.inf, np.inf]).tolist()
        else:
            low, high = int(low), int(high)
            below, above = low - 1, high + 1
        assert refused(path, wrap(below))
        assert refused(path, wrap(above))
        assert kind.accepts(wrap(low)) == (opening == "[")
        assert kind.accepts(wrap(high)) == (closing == "]")


@pytest.mark.parametrize("path", FIELDS)
def test_nan_infinity_and_other_types_are_refused(path):
    hint, _ = FIELDS[path]
    hints = typing.get_args(hint) or (hint,)
    for value in NUMBERS:
        if not (value is True and bool in hints):
            assert refused(path, value), value
    for value in THINGS:
        fits = value is None and type(None) in hints
        fits |= value in ("", "\0", "8x") and str in hints
        fits |= value in ((), []) and path in TUPLES
        fits |= value in ({}, {"a": 1}) and path == "optimizer.lr_factors"
        fits |= value == {} and path == "augment.also"
        assert fits or refused(path, value), value


def tables():
    """Yields all tables of allowed values in the package, also of networks and methods."""
    for module in pkgutil.walk_packages(vidjax.__path__, "vidjax."):
        # Commands define flags on import, some with equal names.
        if module.name.endswith((".load", "__main__")) or ".experiments." in module.name:
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            # Private tables say when an already checked setting has an effect.
            if isinstance(value, dict) and not name.startswith("_"):
                for key, kind in value.items():
                    if isinstance(kind, Kind):
                        yield f"{module.name}.{name}[{key!r}]", kind


def test_every_range_of_numbers_is_bounded():
    found = dict(tables())
    assert len(found) > 100
    for name, kind in found.items():
        for value in NUMBERS[:-1]:
            for wrapped in (value, (value,), (value,) * 2, (value,) * 3, (value,) * 4):
                assert not kind.accepts(wrapped), f"{name} takes {wrapped}"


def put(group, name, value):
    config = synthetic.get_config().to_dict()
    config[group]["options"] = {name: value}
    return config


@pytest.mark.parametrize("group", ["model", "data", "optimizer"])
@pytest.mark.parametrize(
    "name", ["a.b", "__init__", "_x", "", "a b", "a\nb", "a\n", "1", "../x", 5, "x" * 5000]
)
def test_invalid_option_names_are_refused(group, name):
    with pytest.raises(ConfigError, match=rf"{group}\.options has ") as error:
        from_mapping(put(group, name, 1))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000
    nested = put(group, "outer", {"inner": {name: 1}})
    with pytest.raises(ConfigError, match=rf"{group}\.options\.outer\.inner has "):
        from_mapping(nested)


@pytest.mark.parametrize("options", [None, [1], "width", 5])
def test_options_must_be_a_mapping(options):
    config = synthetic.get_config().to_dict()
    config["model"]["options"] = options
    with pytest.raises(ConfigError, match=r"model\.options = .*: options by name are expected"):
        from_mapping(config)
