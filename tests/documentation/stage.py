"""Makes a folder with everything the documentation names: videos, tables, weights and runs.

I3D and the videos are real. PyTorch files have random tensors. Runs are copies of one small network
that was trained for a few steps.
"""

import csv
import re
import shutil

import numpy as np

from tests import references
from tests.commands import run_command
from tests.documentation.pages import ROOT
from tests.trained.published.files import write
from vidjax.data.encode import write_png

ACTIONS = ("BenchPress", "Diving")
# Classes of the demo, which explanations request by name.
POSES = ("kick", "sit_down", "stand_up")
VIDEOS = ("my.mp4", "new.mp4", "a.mp4", "b.mp4", "demo.mp4", "long.mp4")
TINY = (
    "--config.model.options.width=4",
    "--config.model.options.depths=(1,1,1,0)",
    "--config.clip.frames=4",
    "--config.clip.size=32",
    "--config.eval.size=32",
    "--config.eval.crops=1",
    "--config.data.short_side=36",
    "--config.train.duration=2 steps",
    "--config.train.batch_size=4",
    "--config.data.allow_group_leak=true",
)
_RUN = re.compile(r"runs/[\w/]+")
# Runs that a shell finds, such as `runs/*/seed*`.
_PATTERN = re.compile(r"runs/\S*\*\S*")


def build(shared, folder):
    """Fills a folder; returns the real videos by action."""
    (folder / "cache").mkdir()
    (folder / "cache/model_rgb.pth").symlink_to(shared / "weights/i3d_kinetics400_hassony2.pth")
    rows = []
    for action in ACTIONS:
        (folder / "videos" / action).mkdir(parents=True)
        for file in sorted((shared / "clips/ucf101_few" / action).iterdir())[:4]:
            shutil.copy(file, folder / "videos" / action)
            rows.append((f"videos/{action}/{file.name}", action, "train"))
        rows[-2] = (*rows[-2][:2], "val")
        rows[-1] = (*rows[-1][:2], "test")
    for number, name in enumerate(VIDEOS):
        shutil.copy(folder / rows[-number % len(rows)][0], folder / name)
    for name in ("videos.csv", "jhmdb.csv"):
        table(folder / name, ("path", "label", "split"), *rows)
    both = "; ".join(ACTIONS)
    several = [(path, both if split == "train" else label, split) for path, label, split in rows]
    table(folder / "labels.csv", ("path", "labels", "split"), *several)
    (folder / "poses").mkdir()
    posed = []
    for number, (path, _, _) in enumerate([*rows, rows[0]]):
        copy = f"poses/{number}.mp4"
        shutil.copy(folder / path, folder / copy)
        posed.append(
            (copy, POSES[number % 3], ("train", "val", "test")[(number > 4) + (number > 5)])
        )
    table(folder / "poses.csv", ("path", "label", "split"), *posed)
    shutil.copy(folder / "poses.csv", folder / "manifest.csv")
    named = ((ACTIONS[0], "bench pressing"), (ACTIONS[1], "springboard diving"))
    table(folder / "classes.csv", ("label", "class"), *named)
    (folder / "CLIPS").symlink_to(".")
    _pictures(folder, shared)
    (folder / "names.txt").write_text("".join(f"action {number}\n" for number in range(400)))
    for name, keys in (("X3D_M.pyth", "x3d-m"), ("resnet50.pth", "resnet-50")):
        write(folder / name, references.key_list(shared, keys))
    (folder / "configs").symlink_to(ROOT / "configs")
    _run(folder)


def table(file, *rows):
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)


def _pictures(folder, shared):
    """Writes ten images of CIFAR-10, their table, the classes, and a network for them."""
    cifar = np.load(shared / "weights/cifar10_test1000.npz")
    names = [str(name) for name in cifar["classes"]]
    rows = []
    for number, label in enumerate(cifar["labels"][:10]):
        write_png(folder / f"{number}.png", cifar["images"][number])
        rows.append((f"{number}.png", names[label], "test"))
    table(folder / "cifar.csv", ("path", "label", "split"), *rows)
    (folder / "cifar10.txt").write_text("\n".join(names))
    weights = "resnet20-12fca82f.th"
    (folder / weights).symlink_to(shared / "weights" / weights)


def _run(folder):
    """Trains and evaluates runs, and copies them to the places that the documentation names."""
    for workdir, manifest, *more in (
        ("trained", "poses.csv", "--config.model.options.random_scaling={}"),
        ("mine", "videos.csv"),
    ):
        own = ("--config=folder", f"--config.data.manifest={manifest}", f"--workdir={workdir}")
        for module, *arguments in (
            ("experiments.train", *own, *more, *TINY),
            ("experiments.evaluate", f"--workdir={workdir}", "--scores"),
        ):
            done = run_command(module, *arguments, cwd=folder)
            assert done.returncode == 0, done.stderr


def put_runs(here, text):
    """Copies a run to each missing place that a command or a Python block names.

    The run `runs/mine` is trained on the reader's own videos, all others on generated ones.
    """
    found = [pattern.replace("*", "0") for pattern in _PATTERN.findall(text)]
    for name in [*_RUN.findall(text), *found]:
        if not (here / name).exists():
            (here / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(here / ("mine" if name == "runs/mine" else "trained"), here / name)
