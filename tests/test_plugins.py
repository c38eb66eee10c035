"""Tests that modules of other packages and of this process are found and broken ones skipped."""

import sys
import types

import numpy as np
import pytest

import vidjax
from tests.distributions import installed
from vidjax import configs, methods, plugins
from vidjax.__main__ import main
from vidjax.data import catalog
from vidjax.models.cards import ModelCard, Variant
from vidjax.models.model_list import variant, variants
from vidjax.models.registry import methods_of

NETWORK = """
import dataclasses
from vidjax.models import resnet3d
ours = resnet3d.VARIANTS[0]
VARIANTS = (dataclasses.replace(ours, card=dataclasses.replace(ours.card, name={name!r})),)
"""
TINY = {"num_classes": 3, "width": 4, "depths": (1, 0, 0, 0)}


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """Each test starts and ends with vidjax's own modules only."""
    monkeypatch.setattr(plugins, "_registered", {})
    monkeypatch.setattr(plugins, "_complaints", set())
    plugins.refresh()
    yield
    plugins.refresh()


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a distribution with one module of the given text as an entry point."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(distribution, package, name, text):
        module = f"{distribution}_{name}"
        (tmp_path / f"{module}.py").write_text(text)
        # Another test may have imported a module of that name.
        sys.modules.pop(module, None)
        installed(tmp_path, distribution, {package: {name: module}})
        plugins.refresh()

    install.site = tmp_path
    yield install
    monkeypatch.undo()
    plugins.refresh()


def told(capsys):
    """Returns the lines on standard error."""
    return capsys.readouterr().err.splitlines()


def test_networks_of_other_packages_are_listed_created_and_described(install, capsys):
    install("one", "vidjax.models", "net", NETWORK.format(name="r3d_of_one"))
    assert "r3d_of_one" in vidjax.list_models("r3d_o*")
    assert vidjax.model_card("r3d_of_one").clip == vidjax.model_card("r3d_18").clip
    assert vidjax.options("r3d_of_one").own == vidjax.options("r3d_18").own
    made = [vidjax.create_model(name, **TINY) for name in ("r3d_of_one", "r3d_18")]
    assert repr(made[0]) == repr(made[1])
    with pytest.raises(ValueError, match="r3d_of_one has no option 'widht': did you mean 'width'"):
        vidjax.create_model("r3d_of_one", widht=4)
    with pytest.raises(ValueError, match="did you mean 'r3d_of_one'"):
        vidjax.model_card("r3d_of_on")
    assert told(capsys) == []


def test_a_broken_module_is_reported_once_and_the_others_work(install, capsys):
    for number, text in enumerate(
        ("raise RuntimeError('no\\nGPU')", "import sys; sys.exit(3)", "import nowhere_to_be_found")
    ):
        install(f"broken{number}", "vidjax.models", f"bad{number}", text)
    assert vidjax.create_model("r3d_18", **TINY)
    assert vidjax.list_models("r3d_18") == ["r3d_18"]
    first, second, third = told(capsys)
    assert first == (
        "warning: vidjax.models module 'bad0' of the installed package broken0 cannot be imported: "
        "RuntimeError: no GPU; it is left out"
    )
    assert "broken1 cannot be imported: SystemExit: 3" in second
    assert "broken2 cannot be imported: ModuleNotFoundError: No module named 'now" in third
    plugins.refresh()
    variants()
    assert told(capsys) == []


def test_duplicate_module_names_are_an_error_naming_both_packages(install, capsys):
    install("one", "vidjax.data.builders", "tides", "def prepare(request): ...")
    install("other", "vidjax.data.builders", "tides", "def prepare(request): ...")
    assert catalog.list_datasets().count("tides") == 1
    message = "data set 'tides' is in the installed packages one and other: uninstall all but one"
    with pytest.raises(ValueError, match=message):
        catalog.describe("tides")
    assert "UCF-101" in catalog.describe("ucf101")
    assert told(capsys) == []


def test_duplicate_networks_are_an_error_on_use(install, capsys):
    install("one", "vidjax.models", "first", NETWORK.format(name="twice"))
    install("other", "vidjax.models", "second", NETWORK.format(name="twice"))
    message = (
        "model 'twice' exists twice: of the installed package one, of the installed package other"
    )
    with pytest.raises(ValueError, match=message):
        vidjax.create_model("twice")
    assert "twice" not in vidjax.list_models()
    assert vidjax.create_model("r3d_18", **TINY)
    assert told(capsys) == [f"warning: {message}; neither can be used"]


@pytest.mark.parametrize("module", ["resnet3d", "own"])
def test_other_packages_cannot_replace_our_modules(install, capsys, module):
    install("thief", "vidjax.models", module, NETWORK.format(name="r3d_18"))
    assert variant("r3d_18").build.func.__module__ == "vidjax.models.resnet3d"
    assert variant("r3d_18") is variants()["r3d_18"]
    (line,) = told(capsys)
    assert "of the installed package thief is left out: vidjax has one of that name" in line


def test_a_module_without_usable_contents_is_reported(install, capsys):
    install("odd", "vidjax.methods", "odd", "OPTIONS = 5")
    assert "srtg" in methods.options()
    (line,) = told(capsys)
    assert "OPTIONS of module 'odd' of the installed package odd is not a tuple" in line


def test_contents_of_the_wrong_kind_are_reported(install, capsys):
    install("odd", "vidjax.models", "odd", "VARIANTS = ('r3d_9',)")
    assert vidjax.create_model("r3d_18", **TINY)
    (line,) = told(capsys)
    assert "'r3d_9' in VARIANTS of module 'odd' of the installed package odd is not a model" in line


def test_an_incomplete_dataset_module_is_refused(install):
    install("odd", "vidjax.data.builders", "tides", "def prepared(request): ...")
    message = "data set 'tides' of the installed package odd has no function prepare"
    with pytest.raises(ValueError, match=message):
        catalog.describe("tides")


def test_configurations_of_two_packages_with_one_name_are_refused(install):
    text = '"""For tides."""\ndef get_config(argument=None): ...'
    install("one", "vidjax.configs", "tides", text)
    assert "tides" in configs.names()
    assert configs.find("tides").name == "one_tides.py"
    install("other", "vidjax.configs", "tides", text)
    with pytest.raises(ValueError, match="'tides' is in the installed packages one and other"):
        configs.find("tides")


def card(name):
    return ModelCard(name, (4, 8, 8), 1, (0, 0, 0), (1, 1, 1), "mine", (), 0, 0)


def mine(name, build):
    return types.SimpleNamespace(VARIANTS=(Variant(card(name), build, {}, methods=()),))


def test_registered_modules_are_available_at_once_and_replaceable():
    variants()
    plugins.register("vidjax.models", "mine", mine("my_net", lambda **given: "first"))
    assert vidjax.create_model("my_net") == "first"
    plugins.register("vidjax.models", "mine", mine("my_net", lambda **given: "second"))
    assert vidjax.create_model("my_net") == "second"
    assert list(vidjax.options("my_net")) == []
    with pytest.raises(ValueError, match="my_net does not support srtg"):
        vidjax.create_model("my_net", srtg="final")


def test_invalid_registrations_are_refused(install):
    with pytest.raises(plugins.PluginError, match="vidjax.models already has a module 'resnet3d'"):
        plugins.register("vidjax.models", "resnet3d", None)
    install("one", "vidjax.models", "net", "")
    with pytest.raises(
        plugins.PluginError, match="already has a module 'net'; choose another name"
    ):
        plugins.register("vidjax.models", "net", None)
    with pytest.raises(plugins.PluginError, match="did you mean 'vidjax.models'"):
        plugins.register("vidjax.model", "mine", None)
    with pytest.raises(plugins.PluginError, match="'my net' cannot be the name of a module"):
        plugins.register("vidjax.models", "my net", None)


def noting(option, rank, seen):
    """Returns a method whose modules, before a norm, record that they run."""
    import flax.linen as nn

    from vidjax.slots import Option, insert_module, option_settings, pop_stages

    class Note(nn.Module):
        def __call__(self, x, *, train):
            seen.append(option)
            return x

    def fill(slots, value, places):
        stages = pop_stages(option, option_settings(option, value), places)
        return insert_module(option, slots, stages, "before_norm", Note)

    listed = Option(option, fill, "a mapping", "notes that it runs", rank=rank)
    return types.SimpleNamespace(OPTIONS=(listed,))


def test_modules_in_one_slot_run_in_rank_order(monkeypatch):
    from vidjax.methods.random_mean_scaling import RandomScaling

    seen = []
    scale = RandomScaling.__call__

    def noted(self, x, *, train):
        seen.append("random_scaling")
        return scale(self, x, train=train)

    monkeypatch.setattr(RandomScaling, "__call__", noted)
    for option, rank in (("later", 100), ("after", 31), ("sooner", 5)):
        plugins.register("vidjax.methods", f"of_{option}", noting(option, rank, seen))
    options = {"later": {}, "sooner": {}, "random_scaling": {}, "after": {}}
    model = vidjax.create_model("r3d_18", **TINY, **options)
    import jax

    jax.eval_shape(
        lambda x: model.init(jax.random.key(0), x, train=False), np.zeros((1, 2, 8, 8, 3), "f")
    )
    # One block with two norms.
    assert seen == ["sooner", "random_scaling", "after", "later"] * 2


def test_a_method_named_like_a_network_option_does_not_hide_it(capsys):
    plugins.register("vidjax.methods", "mine", noting("width", 100, []))
    assert "width" not in methods_of(variant("r3d_18"))
    assert vidjax.create_model("r3d_18", **TINY).head_width == 4
    (line,) = told(capsys)
    assert line == "warning: r3d_18 has an option 'width' itself, so the method is left out"


def test_gates_are_distinguished_from_other_modules_in_their_slot():
    """Modules of other methods in the gates' slot neither get gate settings nor checks."""
    import functools

    from vidjax.slots import Option, insert_module

    def fill(slots, value, places):
        make = functools.partial(dict, strange=1)
        return insert_module("other_gate", slots, places.stages, "gate", make)

    listed = Option("other_gate", fill, "anything", "another gate", rank=0)
    plugins.register("vidjax.methods", "mine", types.SimpleNamespace(OPTIONS=(listed,)))
    model = vidjax.create_model("r3d_34_e1", **TINY, other_gate=1, srtg="final", gate="hard")
    makers = [own.gate for _, own in model.slots[0].each()]
    assert [make.keywords for make in makers] == [{"strange": 1}, {"gate": "hard"}]
    with pytest.raises(ValueError, match="gate = 'hard' without srtg"):
        vidjax.create_model("r3d_34_e1", **TINY, other_gate=1, gate="hard")


def test_our_methods_fill_slots_in_the_order_that_golden_values_have():
    assert list(methods.options()) == [
        "srtg",
        "gate",
        "gate_warmup_steps",
        "multi_temporal",
        "random_scaling",
        "cgd",
        "residual_drop",
        "class_reg",
        "non_local",
        "cgnl",
    ]


def test_method_files_without_options_add_no_options():
    assert "cutmix" in plugins.names(methods)
    assert "cutmix" not in methods.options()


COMMAND = '"""Counts tides."""\nif __name__ == "__main__":\n    print("tides")\n'


@pytest.fixture
def command(monkeypatch):
    """Calls `vidjax ARGUMENTS` in this process; returns its exit code."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["vidjax", *arguments])
        # Keeps the tests' handling of Ctrl-C.
        monkeypatch.setattr("vidjax.__main__.guard", lambda: None)
        return main()

    return call


def test_commands_of_other_packages_are_listed_and_run(install, command, capsys):
    install("one", "vidjax.experiments", "tides", COMMAND)
    assert command("--help") == 0
    assert "  tides          Counts tides.\n" in capsys.readouterr().out
    assert command("tides") == 0
    assert capsys.readouterr().out == "tides\n"


def test_unusable_commands_are_reported_and_the_others_work(install, command, capsys):
    install("one", "vidjax.experiments", "tides", COMMAND)
    install("other", "vidjax.experiments", "tides", COMMAND)
    install("broken", "vidjax.experiments", "waves", "if :")
    install("thief", "vidjax.experiments", "train", COMMAND)
    installed_nowhere = {"vidjax.experiments": {"winds": "nowhere.winds"}}
    installed(install.site, "gone", installed_nowhere)
    plugins.refresh()
    assert command("--help") == 0
    out, err = capsys.readouterr()
    assert "  train          Trains a network" in out
    ambiguous = "command 'tides' is in the installed packages one and other: uninstall all but one"
    broken, twice, thief, gone = sorted(err.splitlines())
    assert "broken_waves.py cannot be read as Python: " in broken
    assert twice == f"warning: {ambiguous}"
    assert "'train' of the installed package thief is left out: vidjax has one" in thief
    assert gone.startswith(
        "warning: command 'winds': the module nowhere.winds does not exist: Module"
    )
    assert command("tides") == 2
    assert capsys.readouterr().err == f"error: vidjax tides: {ambiguous}\n"


def test_a_registered_dataset_can_be_prepared(tmp_path):
    asked = []

    def prepare(request):
        asked.append(request)
        return request.data_dir / "tides"

    plugins.register("vidjax.data.builders", "tides", types.SimpleNamespace(prepare=prepare))
    assert "tides" in catalog.list_datasets()
    request = catalog.Request(tmp_path)
    assert catalog.prepare("tides", request) == tmp_path / "tides"
    assert asked == [request]
    with pytest.raises(ValueError, match="data set 'tide' is unknown: did you mean 'tides'"):
        catalog.prepare("tide", request)
