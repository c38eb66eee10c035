"""What the documentation of published weights tells people to type, typed in its order.

I3D and the videos are real; two files of PyTorch are of random tensors. Commands get smaller clips
and fewer steps than people would give them.
"""

import csv
import shutil

import jax.numpy as jnp
import numpy as np
import pytest

import vidjax
from tests import references
from tests.commands import run_command
from tests.documented import ROOT, typed_in
from tests.trained.published.files import write
from vidjax.data.encode import write_png

pytestmark = pytest.mark.slow

ACTIONS = ("BenchPress", "Diving")
CLIPS = ("--config.clip.frames=16", "--config.eval.size=112")
STEPS = (
    "--config.train.duration=2 steps",
    "--config.train.batch_size=2",
    "--config.eval.batch_size=2",
)


@pytest.fixture(scope="module")
def place(shared, tmp_path_factory):
    """A folder with what the commands name, and the weights where a download would put them."""
    place = tmp_path_factory.mktemp("typed")
    (place / "cache").mkdir()
    (place / "cache/model_rgb.pth").symlink_to(shared / "weights/i3d_kinetics400_hassony2.pth")
    rows = []
    for action in ACTIONS:
        (place / "videos" / action).mkdir(parents=True)
        for file in sorted((shared / "clips/ucf101_few" / action).iterdir())[:4]:
            shutil.copy(file, place / "videos" / action)
            rows.append((f"videos/{action}/{file.name}", action, "train"))
        rows[-1] = (*rows[-1][:2], "test")
    shutil.copy(place / rows[0][0], place / "my.mp4")
    shutil.copy(place / rows[-1][0], place / "long.mp4")
    for name, table in (
        ("videos.csv", [("path", "label", "split"), *rows]),
        (
            "classes.csv",
            [
                ("label", "class"),
                (ACTIONS[0], "bench pressing"),
                (ACTIONS[1], "springboard diving"),
            ],
        ),
    ):
        with (place / name).open("w", newline="") as stream:
            csv.writer(stream).writerows(table)
    with (place / "jhmdb.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("path", "label", "split"), *rows])
    write_pictures(place, shared)
    (place / "names.txt").write_text("".join(f"action {number}\n" for number in range(400)))
    for name, keys in (("X3D_M.pyth", "x3d-m"), ("resnet50.pth", "resnet-50")):
        write(place / name, references.key_list(shared, keys))
    (place / "configs").symlink_to(ROOT / "configs")
    return place


def write_pictures(place, shared):
    """Ten pictures of CIFAR-10, a table of them, its classes, and a network for them."""
    cifar = np.load(shared / "weights/cifar10_test1000.npz")
    names = [str(name) for name in cifar["classes"]]
    rows = [("path", "label", "split")]
    for number, (picture, label) in enumerate(
        zip(cifar["images"][:10], cifar["labels"], strict=False)
    ):
        write_png(place / f"{number}.png", picture)
        rows.append((f"{number}.png", names[label], "test"))
    with (place / "cifar.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    (place / "cifar10.txt").write_text("\n".join(names))
    weights = "resnet20-12fca82f.th"
    (place / weights).symlink_to(shared / "weights" / weights)


def small(typed):
    if typed.module == "experiments.train":
        return STEPS
    return CLIPS if any(each.startswith("--weights=i3d") for each in typed.arguments) else ()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("file", "heading"),
    [
        ("README.md", "Published weights"),
        ("docs/pretrained.md", "Open them"),
        ("docs/pretrained.md", "Use them"),
        ("docs/pretrained.md", "What they score here"),
        ("docs/pretrained.md", "Tuning them on few videos"),
        ("docs/features.md", None),
    ],
)
def test_what_people_are_told_to_type_runs(place, tmp_path, monkeypatch, file, heading):
    here = tmp_path / "here"
    here.mkdir()
    for each in place.iterdir():
        (here / each.name).symlink_to(each)
    monkeypatch.setenv("VIDJAX_CACHE", str(place / "cache"))
    monkeypatch.chdir(here)
    typed = typed_in(file, heading)
    assert typed
    # What the README has imported by then.
    names = {"vidjax": vidjax, "jnp": jnp}
    for each in typed:
        if each.python:
            exec(compile(each.python, each.file, "exec"), names)
            continue
        done = run_command(
            each.module, *each.arguments, *small(each), cwd=here, VIDJAX_CACHE=str(place / "cache")
        )
        assert done.returncode == 0, f"{each}\n{done.stderr}"
