"""Tests the wheel in a separate environment and a folder that contains only videos."""

import csv
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from tests.documented import typed_in
from tests.videos import write_video
from tests.wheels import build_wheel

ROOT = Path(__file__).parents[1]
TINY = (
    "--config.model.options.width=4",
    "--config.model.options.depths=(1,1,0,0)",
    "--config.clip.frames=4",
    "--config.clip.size=32",
    "--config.eval.size=32",
    "--config.eval.crops=1",
    "--config.data.short_side=36",
    "--config.train.duration=4 steps",
    "--config.train.batch_size=4",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """Returns the programs of a new environment with the wheel and this environment's packages.

    Path files of this environment are not used there, so that the working tree is not found.
    """
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False, symlinks=True)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    into = [sys.executable, "-m", "pip", "--python", str(home / "bin/python"), "install"]
    into += ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    # Packages of this environment do not count as installed in the new one.
    into += ["--ignore-installed", str(wheel)]
    done = subprocess.run(into, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return home / "bin"


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """Returns a folder that contains a folder of videos: squares that rise or fall."""
    folder = tmp_path_factory.mktemp("empty")
    for label, step in (("rise", -1), ("fall", 1)):
        for number in range(6):
            frames = np.full((16, 36, 48, 3), 40 + 10 * number, np.uint8)
            for time, frame in enumerate(frames):
                at = 14 + step * time // 2
                frame[at : at + 8, 20:30] = 220
            write_video(folder / "videos" / label / f"{number}.mp4", frames)
    return folder


def run(program, *arguments, cwd):
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [program, *map(str, arguments)], cwd=cwd, env=clean, capture_output=True, text=True
    )


def succeeds(*command, cwd):
    done = run(*command, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_has_one_package_and_one_command(wheel):
    names = ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {
        "vidjax",
        next(name for name in names if "dist-info" in name).partition("/")[0],
    }
    of_the_tree = {
        f"vidjax/{path.relative_to(ROOT)}"
        for folder in ("configs", "experiments")
        for path in (ROOT / folder).rglob("*.py")
        if path.parent.name != folder or path.name != "__init__.py"
    }
    assert of_the_tree <= set(names)
    data = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "vidjax").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert data <= set(names)


def test_configs_and_experiments_are_not_installed_as_packages(environment, empty):
    program = "import vidjax.configs.demo, vidjax; print(vidjax.__file__)\nimport configs"
    done = run(environment / "python", "-c", program, cwd=empty)
    assert str(environment.parent) in done.stdout
    assert "No module named 'configs'" in done.stderr
    done = run(environment / "python", "-c", "import experiments", cwd=empty)
    assert "No module named 'experiments'" in done.stderr


def test_the_command_leads_from_videos_to_an_explanation(environment, empty):
    vidjax = environment / "vidjax"
    helped = succeeds(vidjax, "--help", cwd=empty)
    for command in ("train", "evaluate", "predict", "explain", "export", "config"):
        assert f"\n  {command} " in helped
    trained = succeeds(
        vidjax,
        "train",
        "--config=folder",
        "--config.data.manifest=videos",
        "--workdir=runs/mine",
        *TINY,
        cwd=empty,
    )
    assert "done: 4 steps, results in runs/mine" in trained
    succeeds(vidjax, "evaluate", "--workdir=runs/mine", "--config.eval.clips=2", cwd=empty)
    (report,) = (empty / "runs/mine/eval").glob("*test-2x1*.json")
    assert json.loads(report.read_text())["videos"] == 2
    video = empty / "videos/rise/0.mp4"
    told = succeeds(vidjax, "predict", "--workdir=runs/mine", f"--video={video}", cwd=empty)
    assert {line.split()[-1] for line in told.splitlines()} == {"rise", "fall"}
    table = ("--video=videos", "--output=predictions.csv")
    succeeds(vidjax, "predict", "--workdir=runs/mine", *table, cwd=empty)
    with (empty / "predictions.csv").open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 12
    shown = ("--method=tubes", f"--video={video}", "--output=seen")
    succeeds(vidjax, "explain", "--workdir=runs/mine", *shown, cwd=empty)
    assert {path.suffix for path in (empty / "seen").iterdir()} >= {".html", ".gif", ".png"}


def test_the_documented_python_runs_on_the_trained_network(environment, empty):
    (empty / "new.mp4").write_bytes((empty / "videos/fall/1.mp4").read_bytes())
    rows = [
        f"videos/{label}/{number}.mp4,{label},{'test' if number > 3 else 'train'}"
        for label in ("rise", "fall")
        for number in range(6)
    ]
    (empty / "videos.csv").write_text("\n".join(["path,label,split", *rows]))
    (use,), (loop,) = (
        typed_in("docs/python.md", heading) for heading in ("Use a run", "Write your own loop")
    )
    program = f"""
import vidjax
{use.python}
told = run.predict("new.mp4")
assert {{name for name, _ in told}} == {{"rise", "fall"}}, told
assert abs(sum(chance for _, chance in told) - 1) < 1e-5
assert run.step == 4 and run.classes == ("fall", "rise")
"""
    succeeds(environment / "python", "-c", program, cwd=empty)
    # The loop is a script, whose videos are not prepared yet.
    (empty / "loop.py").write_text(loop.python.replace('"size": 112', '"size": 32'))
    *steps, result = succeeds(environment / "python", "loop.py", cwd=empty).splitlines()
    # 20 epochs of 8 videos; 4 others are for testing.
    assert [line.partition(":")[0] for line in steps] == [f"step {k}" for k in range(20)]
    losses = [float(line.split()[-1]) for line in steps]
    assert losses[-1] < losses[0]
    assert re.fullmatch("[0-4] of 4 test videos are right", result)


def test_unknown_names_are_refused_with_the_nearest(environment, empty):
    vidjax = environment / "vidjax"
    for arguments, hint in (
        (["trian"], "did you mean 'train'"),
        (["train", "--config=foldr", "--workdir=runs/x"], "did you mean 'folder'"),
        (
            ["train", "--config=folder", "--workdir=runs/x", "--config.optimizer.rl=1"],
            "did you mean 'lr'",
        ),
    ):
        done = run(vidjax, *arguments, cwd=empty)
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
        assert hint in done.stderr
    assert not (empty / "runs/x").exists()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_built_distributions_install_into_an_empty_environment(tmp_path, empty):
    """pip also installs the dependencies; the other tests use the installed ones."""
    here = Path(sys.executable).parent
    made = ["make", "dist", f"BIN={here}", "INSTALLED=", f"DIST={tmp_path / 'dist'}"]
    done = subprocess.run(made, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (archive,), (wheel,) = ((tmp_path / "dist").glob(kind) for kind in ("*.tar.gz", "*.whl"))
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert names >= {"README.md", "CITATION.cff", "mkdocs.yml", "tests/test_installed.py"}
    assert not [name for name in names if name.startswith((".cache", "site", "docs/reference"))]
    home = tmp_path / "environment"
    venv.create(home, with_pip=True)
    into = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = run(home / "bin/python", *into, "-c", ROOT / "constraints.txt", wheel, cwd=tmp_path)
    if "No matching distribution" in done.stderr or "ConnectionError" in done.stderr:
        pytest.skip("pip finds no packages here")
    assert done.returncode == 0, done.stderr
    vidjax = home / "bin/vidjax"
    assert succeeds(vidjax, "--version", cwd=empty).strip() in wheel.name
    assert "folder" in succeeds(vidjax, "config", cwd=empty)
    manifest = ("--config=folder", "--config.data.manifest=videos", "--workdir=runs/empty")
    assert "done: 4 steps" in succeeds(vidjax, "train", *manifest, *TINY, cwd=empty)
