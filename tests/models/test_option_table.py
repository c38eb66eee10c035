"""Tests the table of `vidjax.options` against the behaviour of networks and methods."""

import dataclasses
import functools
import inspect
import re

import pytest

import vidjax
from tests.commands import refusal, run_command
from vidjax.docstrings import defaults
from vidjax.models.model_list import variants
from vidjax.settings import Setting

# For each method, a value with which all of its settings are accepted; drops have no default name.
GIVEN = {
    "srtg": {"gate": "hard"},
    "random_scaling": {"low_pass": "gaussian"},
    "residual_drop": {"name": "shake_drop"},
    "class_reg": {},
    "multi_temporal": {},
}


def made(name, **options):
    """Converts a network to nested tuples of all fields of its modules, with defaults."""
    return resolved(vidjax.create_model(name, **options))


def resolved(value):
    if isinstance(value, functools.partial):
        given = dict(zip(inspect.signature(value.func).parameters, value.args, strict=False))
        known = {**defaults(value.func), **given, **value.keywords}
        return value.func.__qualname__, resolved(known)
    if isinstance(value, dict):
        return tuple((name, resolved(one)) for name, one in sorted(value.items()))
    if dataclasses.is_dataclass(value) and not inspect.isclass(value):
        return type(value).__name__, resolved(
            {
                item.name: getattr(value, item.name)
                for item in dataclasses.fields(value)
                if item.name not in ("parent", "name")
            }
        )
    if isinstance(value, (tuple, list)):
        return tuple(map(resolved, value))
    if inspect.isfunction(value):
        cells = tuple(resolved(cell.cell_contents) for cell in value.__closure__ or ())
        return value.__qualname__, cells
    return repr(value)


@pytest.mark.parametrize("name", vidjax.list_models())
def test_each_option_has_a_meaning_and_its_actual_default(name):
    options, plain = vidjax.options(name), made(name)
    assert set(options.own) == set(variants()[name].options)
    for option, setting in options.own.items():
        assert setting.meaning, option
        assert not re.match(r"likewise|as in", setting.meaning), option
        assert setting.allowed, option
        assert made(name, **{option: setting.default}) == plain, option


def test_no_meaning_names_an_object_of_the_source():
    """Constants such as `CELLS`, classes such as `PairedMTNet`, and names with dots."""
    for name in vidjax.list_models():
        text = " ".join(str(vidjax.options(name)).split())
        assert not re.findall(r"`(?:\w*[A-Z]\w*|\w+(?:\.\w+)+)`", text), name


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("r3d_18", "width", 32),
        ("r3d_18", "shortcut", "pad"),
        ("r3d_50", "zero_init", True),
        ("slowfast_50", "norm_epsilon", 1e-3),
        ("r2plus1d_18", "norm_epsilon", 1e-5),
        ("ir_csn_50", "variant", "thesis"),
        ("tsm_50", "dropout", 0.0),
        ("mtnet_s", "kernels", "dense"),
        ("mtnet_s", "cell", "lstm"),
    ],
)
def test_values_other_than_the_default_change_the_network(name, option, value):
    """This shows that the test above can fail."""
    assert made(name, **{option: value}) != made(name)


def modules(options):
    """Returns all fields of the modules that methods insert into stage 3 of a network."""
    model = vidjax.create_model("r3d_50", **options)
    for slot in ("conv", "before_norm", "gate", "branch_drop", "after_block", "after_stage"):
        for _, own in model.slots[2].each():
            if (make := getattr(own, slot)) is not None:
                fields = {item.name: item.default for item in dataclasses.fields(make.func)}
                yield slot, own.points, own.placement, make.func, {**fields, **make.keywords}


@pytest.mark.parametrize("method", GIVEN)
def test_each_setting_of_a_method_has_a_meaning_and_its_actual_default(method):
    settings = vidjax.options("r3d_50")[method].settings
    given = GIVEN[method]
    plain = list(modules({method: given}))
    assert plain
    for name, setting in settings.items():
        assert setting.meaning, name
        assert setting.allowed, name
        if setting.default is not ... and name not in given:
            assert list(modules({method: {**given, name: setting.default}})) == plain, name


def test_the_error_for_an_unknown_setting_lists_all_settings_of_a_method():
    for method, given in GIVEN.items():
        with pytest.raises(ValueError, match="no setting 'x'") as caught:
            vidjax.create_model("r3d_50", **{method: {**given, "x": 1}})
        known = str(caught.value).lower().rpartition("known: ")[2].split(", ")
        listed = set(vidjax.options("r3d_50")[method].settings)
        assert set(known) == listed - {"name"}, method


def test_options_are_a_mapping_that_prints_as_a_table():
    options = vidjax.options("srtg_r3d_34")
    assert options["depths"].default == (3, 4, 6, 3)
    assert options["srtg"].default == "final"
    assert options["class_reg"].default is None
    assert isinstance(options["class_reg"].settings["bounds"], Setting)
    lines = str(options).splitlines()
    assert max(map(len, lines)) <= 100
    first = [line.split()[0] for line in lines if re.match(r"\w", line)]
    assert first == ["srtg_r3d_34", *options.own, "methods", *options.methods]
    assert "zero_init            False" in str(options)


def test_unsupported_options_are_not_listed():
    assert "multi_temporal" not in vidjax.options("mtnet_s")
    assert set(vidjax.options("i3d").methods) == {"class_reg"}
    # The variant that its name stands for.
    assert vidjax.options("r2plus1d_18")["norm_epsilon"].default == 1e-3
    assert vidjax.options("r2plus1d_34_e1")["norm_epsilon"].default == 1e-5


def test_the_command_prints_the_table_or_one_option():
    done = run_command("experiments.options", "x3d_s")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{vidjax.options('x3d_s')}\n"
    error = refusal(run_command("experiments.options", "x3d_s", "--option=clas_reg"))
    assert "x3d_s has no option 'clas_reg': did you mean 'class_reg'" in error


def test_one_option_is_printed_with_its_settings():
    text = str(vidjax.options("x3d_s").only("class_reg"))
    assert text.splitlines()[1].startswith("class_reg            None  ")
    assert "neck" not in text
    assert "  affection" in text


def test_the_error_for_an_unknown_network_names_the_nearest():
    with pytest.raises(ValueError, match="model 'x3d_z' is unknown: did you mean 'x3d_"):
        vidjax.options("x3d_z")
