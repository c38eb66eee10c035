"""Tests that commands show their help without importing heavy libraries."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vidjax.__main__ import commands
from vidjax.fast_help import asked_for_help

ROOT = Path(__file__).parents[1]
HEAVY = "jax flax grain orbax scipy tensorflow tensorflow_datasets av cv2"
# Runs a command and prints at its end which libraries were imported.
ASKED = """
import atexit, runpy, sys
libraries, before, *arguments = sys.argv[1:]
atexit.register(lambda: print("imported:", *sorted(set(libraries.split()) & sys.modules.keys())))
exec(before)
sys.argv = ["vidjax", *arguments, "--help"]
runpy.run_module("vidjax", run_name="__main__")
"""
# Subcommands with their own flags.
PARTS = ("models", "data", "kernels", "methods", "pyramids", "multigrid", "start", "scale")


def said(*arguments, before=""):
    command = [sys.executable, "-c", ASKED, HEAVY, before, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    text, _, imported = done.stdout.rpartition("imported:")
    return text + done.stderr, imported.split()


def test_only_a_help_flag_requests_help():
    assert asked_for_help(["vidjax", "train", "--help"])
    assert asked_for_help(["vidjax", "train", "-h"])
    assert not asked_for_help(["vidjax", "train", "--workdir=--help"])
    assert not asked_for_help(["vidjax", "compare", "--", "--help"])


@pytest.mark.parametrize("command", sorted(commands()))
def test_help_imports_no_heavy_library(command):
    text, imported = said(command)
    assert text.strip()
    assert imported == []


@pytest.mark.parametrize(
    "arguments", [("train",), ("explain",), ("benchmark", "scale")], ids=" ".join
)
def test_help_equals_that_with_the_libraries(arguments):
    _same_with_libraries(arguments)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [*((name,) for name in sorted(commands())), *(("benchmark", part) for part in PARTS)],
    ids=" ".join,
)
def test_all_help_equals_that_with_the_libraries(arguments):
    _same_with_libraries(arguments)


def _same_with_libraries(arguments):
    with_libraries = "import vidjax.startup as startup; startup.import_stand_ins = lambda: None"
    text, imported = said(*arguments, before=with_libraries)
    assert "jax" in imported
    assert said(*arguments) == (text, [])
