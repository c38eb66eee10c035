"""Tests the first cell of each notebook on machines with different packages installed."""

import importlib.machinery
import importlib.util
import re
import subprocess
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.colab.notebooks import render

NEEDS = [
    "av>=14",
    "jax>=0.10",
    "numpy>=2.0",
    "opencv-python-headless>=4.10",
    'tensorflow-cpu>=2.20; python_version > "3"',
    'importlib-resources>=6; python_version < "3"',
    'onnx>=1; extra == "export"',
]
COLAB = {"jax": "0.12.1", "numpy": "2.1.3", "tensorflow": "2.20.0", "opencv-python": "5.0.0.93"}
MODULES = {"tensorflow", "cv2"}
# The pip call that fixes the packages that Colab had in August 2026.
METADATA = (["--no-deps", "tensorflow-metadata<1.18"], None)


@pytest.fixture
def machine(monkeypatch, capsys):
    """Runs the cell on a machine with some packages; returns its pip calls and its output."""

    def run(packages, modules=MODULES, *, vidjax=True, fails=""):
        there = dict(packages)
        calls = []

        def called(command, check=False, **_):
            if "-c" in command:
                failed = fails and METADATA not in calls
                stderr = f"Traceback:\n{fails}\nWARNING:absl:something else\n"
                return SimpleNamespace(returncode=bool(failed), stderr=stderr)
            assert check
            assert command[1:4] == ["-m", "pip", "install"]
            arguments = [part for part in command[4:] if not re.match("--(quiet|disable)", part)]
            kept = None
            if "--constraint" in arguments:
                place = arguments.index("--constraint")
                kept = Path(arguments[place + 1]).read_text().split()
                del arguments[place : place + 2]
            calls.append((arguments, kept))
            if any(part.startswith("git+") for part in arguments):
                there["vidjax"] = "0.2.0"

        def version(name):
            if name not in there:
                raise metadata.PackageNotFoundError(name)
            return there[name]

        def find(name):
            known = name in modules or (name == "vidjax" and "vidjax" in there)
            return importlib.machinery.ModuleSpec(name, None) if known else None

        if vidjax:
            there["vidjax"] = "0.2.0"
        with monkeypatch.context() as patch:
            patch.setattr(metadata, "requires", lambda name: NEEDS)
            patch.setattr(metadata, "version", version)
            patch.setattr(
                metadata,
                "distributions",
                lambda: [SimpleNamespace(name=name, version=own) for name, own in there.items()],
            )
            patch.setattr(importlib.util, "find_spec", find)
            patch.setattr(subprocess, "run", called)
            exec(compile(render.INSTALL, "install.py", "exec"), {"__name__": "__main__"})
        return calls, capsys.readouterr().out.splitlines()

    return run


def test_nothing_is_installed_if_everything_is_present(machine):
    calls, lines = machine({**COLAB, "av": "15.0"})
    assert calls == []
    assert lines == ["vidjax 0.2.0 with JAX 0.12.1 is ready"]


def test_missing_packages_are_printed_and_others_are_kept(machine):
    calls, lines = machine(COLAB)
    ((arguments, kept),) = calls
    assert arguments == ["av>=14"]
    assert set(kept) == {f"{name}=={own}" for name, own in COLAB.items()} | {"vidjax==0.2.0"}
    assert lines[0] == "Installing what is missing: av"


def test_vidjax_comes_from_its_address_without_dependencies(machine):
    calls, lines = machine({**COLAB, "av": "15.0"}, vidjax=False)
    assert calls == [(["--no-deps", f"git+https://github.com/{render.REPOSITORY}"], None)]
    assert render.REPOSITORY in lines[0]


def test_tensorflow_is_installed_on_a_tpu_machine_without_it(machine):
    ((arguments, _),), _ = machine({**COLAB, "av": "15.0"}, {"cv2"})
    assert [argument.partition(">")[0] for argument in arguments] == ["tensorflow-cpu"]


def test_an_older_package_stays_and_is_named(machine):
    calls, lines = machine({**COLAB, "av": "15.0", "jax": "0.7.2"})
    assert calls == []
    assert lines[0] == "jax 0.7.2 stays, though vidjax is made for >=0.10"


def test_a_package_that_cannot_be_imported_is_named(machine):
    _, lines = machine({**COLAB, "av": "15.0"}, fails="VersionError: protobuf is too old")
    assert lines[0] == "vidjax cannot be imported: VersionError: protobuf is too old"
    assert "ready" not in " ".join(lines)


def test_a_metadata_package_that_protobuf_cannot_load_is_replaced(machine):
    error = (
        "google.protobuf.runtime_version.VersionError: Detected incompatible Protobuf "
        "Gencode/Runtime versions when loading tensorflow_metadata/proto/v0/anomalies.proto"
    )
    calls, lines = machine({**COLAB, "av": "15.0"}, fails=error)
    assert calls == [METADATA]
    assert lines[0] == "tensorflow-metadata is too new for protobuf here: installing an older one"
    assert lines[-1].endswith("is ready")


def test_version_formats_of_system_packages_are_accepted(machine):
    ((_, kept),), _ = machine({**COLAB, "distro-info": "1.1+build-ubuntu~2"})
    assert "jax==0.12.1" in kept
    assert not [line for line in kept if line.startswith("distro")]
