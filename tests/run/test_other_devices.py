"""Tests resuming and using a run of eight devices on other numbers of devices."""

import json
import shutil

import jax
import numpy as np
import pytest

from tests.run.jobs import TRAIN, ends, job, lines, run, said, settings
from tests.training.test_resume import arrays
from tests.videos import numbered_frames, write_video
from vidjax.run.setting_groups import MeshConfig
from vidjax.run.sharding import fitting_mesh, make_mesh

# Wide enough that parameters are split.
EIGHT = {
    "model__options": "{'width':32,'depths':(1,0,0,1),'stem_kernel':(1,3,3)}",
    "mesh__data": 1,
    "mesh__fsdp": 8,
    "train__batch_size": 24,
    "train__duration": "4 steps",
    "every__checkpoint": "2 steps",
    "schedule__name": "constant",
}
LONGER = EIGHT | {"train__duration": "6 steps"}


def trains(workdir, devices, **changes):
    """Trains; returns the exit code and the output."""
    process = run([*TRAIN, *settings(**changes), f"--workdir={workdir}"], devices)
    (code,) = ends([process])
    return code, said[process.pid]


def command(name, *arguments, devices):
    """Runs a command that must succeed; returns its output."""
    process = run(["-m", f"experiments.{name}", *arguments], devices)
    assert ends([process]) == [0], said[process.pid]
    return said[process.pid]


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("eight") / "run"
    code, errors = trains(workdir, 8, **EIGHT)
    assert code == 0, errors
    return workdir


@pytest.fixture(scope="module")
def longer(eight, tmp_path_factory):
    """Continues the run on eight devices."""
    workdir = tmp_path_factory.mktemp("longer") / "run"
    shutil.copytree(eight, workdir)
    assert trains(workdir, 8, **LONGER)[0] == 0
    return arrays(workdir)[1]


@pytest.mark.parametrize(
    ("mesh", "devices", "used"),
    [
        ((1, 8), 8, (1, 8)),
        ((1, 8), 4, (1, 4)),
        ((1, 8), 1, (1, 1)),
        ((1, 8), 6, (3, 2)),
        ((1, 8), 3, (3, 1)),
        ((2, 4), 8, (2, 4)),
        ((2, 4), 16, (4, 4)),
        ((4, 2), 2, (1, 2)),
        ((-1, 4), 2, (1, 2)),
        ((-1, 1), 5, (-1, 1)),
        ((8, -1), 4, (4, 1)),
        ((8, -1), 16, (8, -1)),
    ],
)
def test_the_fitting_mesh_is_the_most_similar_one(mesh, devices, used, monkeypatch):
    monkeypatch.setattr(jax, "device_count", lambda: devices)
    assert fitting_mesh(MeshConfig(*mesh)) == MeshConfig(*used)


def test_the_fitting_mesh_can_be_made_here():
    assert make_mesh(fitting_mesh(MeshConfig(1, 8))).size == jax.device_count()


@pytest.mark.slow
@pytest.mark.parametrize(("devices", "mesh"), [(4, (1, 4)), (3, (3, 1)), (1, (1, 1))])
def test_the_same_command_resumes_on_other_devices(eight, longer, tmp_path, devices, mesh):
    workdir = tmp_path / "run"
    shutil.copytree(eight, workdir)
    code, errors = trains(workdir, devices, **LONGER)
    assert code == 0, errors
    some = f"{devices} device{'s' * (devices > 1)}"
    assert f"mesh.data = 1 by mesh.fsdp = 8 does not fit {some}: {mesh[0]} by {mesh[1]}" in errors
    assert "resuming after step 4 of 6" in errors
    step, ours = arrays(workdir)
    assert step == 6
    assert ours.keys() == longer.keys()
    for name, theirs in longer.items():
        np.testing.assert_allclose(ours[name], theirs, rtol=1e-4, atol=1e-5, err_msg=name)
    # The run's configuration is kept, and the mesh of this start is stored beside it.
    kept = json.loads((workdir / "config.json").read_text())
    assert kept["mesh"] == {"data": 1, "fsdp": 8}
    assert kept["eval"]["batch_size"] == 8
    here = json.loads((workdir / "environment-2.json").read_text())
    assert here["mesh"] == dict(zip(("data", "fsdp"), mesh, strict=True))
    assert len(here["devices"]) == devices


@pytest.mark.slow
def test_another_mesh_is_accepted_and_recorded(eight, longer, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(eight, workdir)
    code, errors = trains(workdir, 4, **LONGER | {"mesh__data": 2, "mesh__fsdp": 2})
    assert code == 0, errors
    assert "on 4 x cpu (data 2, fsdp 2)" in errors
    kept = json.loads((workdir / "config.json").read_text())
    assert kept["mesh"] == {"data": 2, "fsdp": 2}
    for name, theirs in longer.items():
        ours = arrays(workdir)[1][name]
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.slow
def test_two_processes_resume_on_four_devices(eight, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(eight, workdir)
    with job([], [], workdir=workdir, devices=2, changes=LONGER) as processes:
        assert ends(processes) == [0, 0], said
    assert arrays(workdir)[0] == 6


@pytest.mark.slow
def test_the_run_has_equal_evaluations_on_any_devices(eight, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(eight, workdir)
    reports = []
    for devices in (8, 3, 1):
        shutil.rmtree(workdir / "eval")
        errors = command("evaluate", f"--workdir={workdir}", devices=devices)
        assert ("does not fit" in errors) == (devices != 8)
        (report,) = (workdir / "eval").glob("*-step4.json")
        reports.append(json.loads(report.read_text()))
    assert reports[0]["top1"] == reports[1]["top1"] == reports[2]["top1"]
    process = run(["-m", "experiments.evaluate", f"--workdir={workdir}", "--config.mesh.fsdp=3"], 4)
    assert ends([process]) == [2]
    assert "mesh.data = 1 by mesh.fsdp = 3 does not fit 4 devices" in lines(process)[0]


@pytest.mark.slow
def test_the_run_predicts_explains_and_is_exported_on_other_devices(eight, tmp_path):
    video = write_video(tmp_path / "video.mp4", numbered_frames(8))
    given = (f"--workdir={eight}", f"--video={video}")
    command("predict", *given, devices=3)
    command("explain", *given, "--method=tubes", f"--output={tmp_path / 'tubes'}", devices=4)
    assert any((tmp_path / "tubes").iterdir())
    place = f"--output={tmp_path / 'export'}"
    command("export", f"--workdir={eight}", "--format=stablehlo", place, devices=2)
    assert any((tmp_path / "export").iterdir())


@pytest.mark.slow
def test_another_run_starts_from_its_weights_on_other_devices(eight, tmp_path):
    changes = EIGHT | {"mesh__data": 4, "mesh__fsdp": 1, "model__weights": eight}
    code, errors = trains(tmp_path / "run", 4, **changes)
    assert code == 0, errors
    assert f"starting from {eight}" in errors


@pytest.mark.slow
def test_per_device_statistics_do_not_change_silently(tmp_path):
    workdir = tmp_path / "run"
    free = EIGHT | {"mesh__data": -1, "mesh__fsdp": 1, "train__batch_norm": "per_device"}
    code, errors = trains(workdir, 4, **free)
    assert code == 0, errors
    before = sorted(file.name for file in workdir.rglob("*"))
    code, errors = trains(workdir, 8, **free)
    assert code == 2, errors
    assert "'per_device' computes statistics per device, and the run in" in errors
    assert "began on 4 devices: on 8 its result would change; use 4 devices" in errors
    assert sorted(file.name for file in workdir.rglob("*")) == before
