"""Tests that the public API of `vidjax` is typed and loaded lazily."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import vidjax

SOURCE = Path(vidjax.__file__).read_text()


def told_to_type_checkers():
    (block,) = (
        node
        for node in ast.parse(SOURCE).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    return {alias.name: node.module for node in block.body for alias in node.names}


def test_type_checkers_see_all_public_names():
    homes = {name: getattr(vidjax, name).__module__ for name in vidjax.__all__}
    assert told_to_type_checkers() == homes
    assert (Path(vidjax.__file__).parent / "py.typed").exists()


@pytest.mark.parametrize("name", vidjax.__all__)
def test_public_functions_document_and_annotate_their_arguments(name):
    thing = getattr(vidjax, name)
    text = inspect.getdoc(thing)
    signature = inspect.signature(thing)
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty, parameter
        if inspect.isfunction(thing) and len(signature.parameters) > 1:
            assert re.search(rf"^ *\**{parameter.name}: ", text, re.MULTILINE), parameter


@pytest.mark.slow
def test_a_type_checker_finds_errors_in_a_users_program(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import vidjax\n"
        "run = vidjax.open_run('runs/mine')\n"
        "run.predikt('my.mp4')\n"
        "vidjax.clips('videos', batch_size='two')\n"
    )
    checked = [sys.executable, "-m", "mypy", "mine.py", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(checked, cwd=tmp_path, capture_output=True, text=True)
    assert 'mine.py:3: error: "Trained" has no attribute "predikt"' in done.stdout
    assert 'mine.py:4: error: Argument "batch_size" to "clips" has incompatible' in done.stdout
    assert "Found 2 errors in 1 file" in done.stdout


def test_importing_it_loads_none_of_the_large_libraries():
    program = "import sys, vidjax; print([n for n in ('jax', 'numpy', 'cv2') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_unknown_names_are_errors():
    with pytest.raises(AttributeError, match="'vidjax' has no attribute 'open_runs'"):
        vidjax.open_runs  # noqa: B018
    with pytest.raises(AttributeError, match="no configuration 'foldr': did you mean 'folder'"):
        importlib.import_module("vidjax.configs").foldr  # noqa: B018
