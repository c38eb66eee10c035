"""Runs the examples in docstrings (`>>> ...`), each separately in an empty folder."""

import doctest
import importlib
from pathlib import Path

import pytest

from vidjax import plugins

ROOT = Path(__file__).parents[1]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# Functions that users call first.
CALLED_FIRST = (
    "vidjax.convert.inflation.inflate",
    "vidjax.convert.loading.load_torch",
    "vidjax.evaluation.cost.count_cost",
    "vidjax.evaluation.frame_choices.count_frame_choices",
    "vidjax.evaluation.linear_probes.linear_probe",
    "vidjax.evaluation.nearest_neighbours.knn",
    "vidjax.evaluation.significance.mcnemar",
    "vidjax.explain.class_feature_pyramids.class_feature_pyramid",
    "vidjax.explain.colours.overlay",
    "vidjax.explain.frequency.scaled_parts",
    "vidjax.explain.html_page.page",
    "vidjax.explain.pyramid_json.from_json",
    "vidjax.explain.pyramid_json.to_json",
    "vidjax.explain.saliency_map.saliency_map",
    "vidjax.explain.saliency_tubes.saliency_tube",
    "vidjax.models.model_list.list_models",
    "vidjax.models.model_list.model_card",
    "vidjax.models.option_table.options",
    "vidjax.models.registry.create_model",
    "vidjax.plugins.register",
    "vidjax.run.config.from_mapping",
    "vidjax.trained.clip_explanation.open_clip",
    "vidjax.trained.feature_files.files.read_features",
    "vidjax.trained.features.features",
    "vidjax.trained.preprocessing.read_clip",
    "vidjax.trained.published.pretrained.load_pretrained",
    "vidjax.trained.published.registry.list_pretrained",
    "vidjax.trained.sources.run.open_run",
    "vidjax.training.clips.clips",
)


def modules_with_examples():
    """Returns the names of modules with examples in their text, without importing them."""
    found = []
    for file in sorted([*ROOT.glob("vidjax/**/*.py"), *ROOT.glob("experiments/**/*.py")]):
        if ">>> " in file.read_text():
            parts = file.relative_to(ROOT).with_suffix("").parts
            found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


def examples_of(name):
    """Returns a module's examples by the name of their object."""
    found = doctest.DocTestFinder().find(importlib.import_module(name))
    return {test.name: test for test in found if test.examples}


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_print_their_expected_output(name, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    # An example may register a module, which other tests must not see.
    monkeypatch.setattr(plugins, "_registered", {})
    request.addfinalizer(plugins.refresh)
    examples = examples_of(name)
    assert examples
    wrong = []
    for test in examples.values():
        doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=wrong.append)
    assert not wrong, "".join(wrong)


@pytest.mark.parametrize("name", CALLED_FIRST)
def test_functions_that_users_call_first_have_an_example(name):
    assert name in examples_of(name.rpartition(".")[0])


def test_an_example_with_another_output_fails():
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    wrong = []
    doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=wrong.append)
    assert "Expected:\n    3\nGot:\n    2\n" in "".join(wrong)
