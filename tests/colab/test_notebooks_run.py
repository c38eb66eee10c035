"""Tests that each notebook runs from start to end, from the wheel, in an empty folder.

Notebooks run on Python 3.12 and 3.13 with the newest JAX, and with Colab's versions. The
environment has JAX, NumPy and TensorFlow; the first cell installs the other packages.
"""

import json
import os
import re
import shutil
import subprocess
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import nbclient
import pytest

from tests.colab.notebooks import NAMES, ROOT, code, read, render
from tests.wheels import build_wheel

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.filterwarnings("ignore:Parsing dates:DeprecationWarning"),
]
# Packages that exist before the first cell: the newest ones, and those of Colab.
NEWEST = ("jax", "numpy", "tensorflow-cpu", "matplotlib")
COLAB = ("-r", str(Path(__file__).with_name("colab-2026-08.txt")))
MACHINES = {
    "python3.12": ("3.12", NEWEST),
    "python3.13": ("3.13", NEWEST),
    "colab": ("3.13", COLAB),
}
KEPT = ("jax", "jaxlib", "numpy", "tensorflow-cpu")
# The least number of images that a notebook shows, and text that its cells print.
SHOWS = {
    "quickstart": (3, ["16 classes", "top-1", "sit_down"]),
    "own_videos": (2, ["cut_off.mp4", "empty.mp4", "done: ", "top-1", "McNemar"]),
    "published_weights": (2, ["arm wrestling", "linear probe", "was called"]),
    "class_regularization": (3, ["multiply-adds per clip"]),
    "random_mean_scaling": (3, ["evaluation, twice", "last training steps"]),
    "temporal_gates_and_mtconv": (4, ["redundancy of frames", "mtconv  top-1"]),
    "tubes_and_pyramids": (3, ["level 1", "level 2  first"]),
    "own_network_and_method": (1, ["tiny_r3d", "stem_frames", "evaluation by 0.000"]),
    "several_devices": (2, ["step 8", "done: 12 steps"]),
}


@dataclass(frozen=True)
class Machine:
    """A virtual environment, and the versions of the packages that must not change."""

    home: Path
    kept: dict[str, str]

    @property
    def python(self):
        return self.home / "bin/python"

    def versions(self):
        program = f"from importlib.metadata import version as v; print(*map(v, {KEPT}))"
        return dict(zip(KEPT, called(self.python, "-c", program).split(), strict=True))


def called(*command, **settings):
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    clean |= settings.pop("env", {})
    done = subprocess.run(command, env=clean, capture_output=True, text=True, **settings)
    if "No matching distribution" in done.stderr or "ConnectionError" in done.stderr:
        pytest.skip("pip finds no packages here")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def interpreter(version):
    """Finds a Python of this version that can create environments, or skips the test."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [shutil.which(f"python{version}"), *pyenv.glob(f"versions/{version}.*/bin/python")]
    for each in filter(None, found):
        program = "import ensurepip, sys; print(sys.executable)"
        done = subprocess.run([each, "-c", program], capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.strip()
    pytest.skip(f"no Python {version} answers here")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module", params=MACHINES)
def machine(request, wheel, tmp_path_factory):
    version, there = MACHINES[request.param]
    home = tmp_path_factory.mktemp(request.param)
    called(interpreter(version), "-m", "venv", home)
    # Modules are compiled to bytecode on import, because most are never imported.
    install = (home / "bin/python", "-m", "pip", "install", "--quiet", "--no-compile")
    called(*install, *there, "ipykernel")
    called(*install, "--no-deps", wheel)
    specification = home / "share/jupyter/kernels/colab/kernel.json"
    specification.parent.mkdir(parents=True, exist_ok=True)
    command = [str(home / "bin/python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    # Like a user's environment: without the settings of the tests, and with `vidjax` on the path.
    settings = {"PATH": f"{home / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": "", "XLA_FLAGS": ""}
    specification.write_text(
        json.dumps(
            {"argv": command, "display_name": "colab", "language": "python", "env": settings}
        )
    )
    made = Machine(home, {})
    return Machine(home, made.versions())


def settings_of(name, request):
    """Returns the variables that a reader sets in a notebook."""
    if name != "published_weights":
        return {}
    shared = request.getfixturevalue("shared")
    weights = shared / "weights/i3d_kinetics400_hassony2.pth"
    video = shared / "clips/misc/demo.mp4"
    for file in (weights, video):
        if not file.is_file():
            pytest.skip(f"no {file}: without a network nothing can be downloaded")
    return {"PATH": str(weights), "VIDEO": str(video)}


def set_values(notebook, values):
    """Sets variables, and makes a cell fail if one of its commands fails."""
    for cell in code(notebook):
        for name, value in values.items():
            cell.source = re.sub(rf"(?m)^{name} = .*", f"{name} = {value!r}", cell.source)
        if re.search(r"^!", cell.source, re.MULTILINE):
            # `check_videos` has this exit code if it has found bad files.
            cell.source += f"\nassert _exit_code == {int('check_videos' in cell.source)}"


def outputs(notebook):
    """Returns the printed text of the cells, and the number of images that they show."""
    found = [output for cell in code(notebook) for output in cell.outputs]
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in found]
    pictures = sum("image/png" in output.get("data", {}) for output in found)
    return "".join(texts), pictures


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_from_start_to_end(name, machine, request, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", str(machine.home / "share/jupyter"))
    notebook = read(name)
    set_values(notebook, settings_of(name, request))
    client = nbclient.NotebookClient(
        notebook, timeout=900, kernel_name="colab", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    pictures, phrases = SHOWS[name]
    text, shown = outputs(notebook)
    assert [phrase for phrase in phrases if phrase not in text] == []
    assert shown >= pictures
    assert machine.versions() == machine.kept


def test_the_first_cell_installs_vidjax_from_its_address(tmp_path):
    """Checks that the address leads to this repository, and that every dependency is installed."""
    if not (ROOT / ".git").exists():
        pytest.skip("the sources are no repository of git")
    venv.create(tmp_path / "home", with_pip=True, symlinks=True)
    (packages,) = (tmp_path / "home").glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    (tmp_path / "install.py").write_text(render.INSTALL)
    told = called(
        tmp_path / "home/bin/python",
        "install.py",
        cwd=tmp_path,
        env={
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.file://{ROOT}.insteadOf",
            "GIT_CONFIG_VALUE_0": f"https://github.com/{render.REPOSITORY}",
            "PIP_NO_BUILD_ISOLATION": "0",
            "PIP_NO_INDEX": "1",
        },
    )
    lines = told.splitlines()
    assert lines[0].endswith(f"github.com/{render.REPOSITORY}")
    assert re.fullmatch(r"vidjax \S+ with JAX \S+ is ready", lines[-1])
    assert (packages / "vidjax/__init__.py").is_file()
