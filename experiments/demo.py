"""Generates videos, trains a network, evaluates it and predicts one video, in a few minutes.

If published weights are on this machine, it ends with a real video.

Examples:
  vidjax demo
  vidjax demo --smoke
"""

from __future__ import annotations

import resource
import shlex
import time
from pathlib import Path

from absl import flags

from vidjax.configs import demo
from vidjax.data.catalog import Request
from vidjax.data.encode import write_png
from vidjax.data.marionette import CLASSES, MarionetteSpec, contact_sheet, generate, render_video
from vidjax.evaluation.report import describe
from vidjax.progress import duration
from vidjax.run.config import Config, from_mapping
from vidjax.storage.paths import as_path
from vidjax.terminal import say
from vidjax.trained.sources.run import open_run
from vidjax.training.loop import train
from vidjax.training.preemption import EXIT_CODE

from . import command_line
from .demo_real_video import show_real_video

_WORKDIR = flags.DEFINE_string("workdir", "runs/demo", "RUN: Folder of the run.")
_DATA = flags.DEFINE_string("data_dir", "data", "FOLDER: Folder for the generated videos.")
_VIDEO = flags.DEFINE_string("video", None, "FILE: A real video, which published weights predict.")
_SMOKE = flags.DEFINE_bool(
    "smoke", False, "Takes two minutes, to test the installation; the network learns little."
)


def main() -> int:
    """Runs the demo and names the files it wrote."""
    settings = demo.get_config("smoke=true" if _SMOKE.value else "")
    settings.data.data_dir = _DATA.value
    config, workdir, start = from_mapping(settings), as_path(_WORKDIR.value), time.monotonic()
    given = as_path(_VIDEO.value) if _VIDEO.value else None
    if given and not given.is_file():
        raise ValueError(f"--video={given}: no such file")
    say(f"training on generated videos of {len(CLASSES)} actions: {', '.join(CLASSES)}")
    outcome = train(config, workdir)
    if outcome.preempted:
        return EXIT_CODE
    sheet = _draw_sheet(workdir)
    video = _a_test_video(config)
    say("", f"predicted for {video}:")
    for name, probability in open_run(workdir, config).predict(video):
        say(f"{probability:7.2%}  {name}")
    _say_results(config, workdir, sheet, video, outcome.step)
    for file in show_real_video(given, workdir / "real"):
        say(f"  {file}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    say("")
    say(f"took {duration(time.monotonic() - start)} in all, with at most {peak:.1f} GiB of memory")
    return 0


def _draw_sheet(workdir: Path) -> Path:
    sheet = workdir / "videos.png"
    write_png(sheet, contact_sheet([render_video(label) for label in CLASSES], CLASSES, columns=10))
    return sheet


def _a_test_video(config: Config) -> Path:
    """Returns a test video of someone sitting down; the files exist already."""
    spec = MarionetteSpec(**config.data.options)
    request = Request(as_path(config.data.data_dir))
    folder = request.data_dir / "marionette_videos" / spec.tag
    generate(folder, spec)
    return folder / "videos" / "test" / "sit_down" / "sit_down_0000.mp4"


def _say_results(config: Config, workdir: Path, sheet: Path, video: Path, step: int) -> None:
    reports = sorted((workdir / "eval").glob(f"*-step{step}.json"))
    say("")
    clips, crops = config.eval.clips, config.eval.crops
    views = f"{clips} clip{'s' * (clips != 1)} x {crops} crop{'s' * (crops != 1)} each"
    say(f"{describe(reports[0])}, all held out, {views}")
    written = [
        (sheet, "what the videos look like"),
        (reports[0], "scores"),
        (reports[0].with_name(f"{reports[0].stem}-predictions.csv"), "every prediction"),
        (reports[0].with_name(f"{reports[0].stem}-confusion.png"), "which classes are confused"),
        (workdir / "metrics.jsonl", "loss and accuracy over the training"),
        (workdir / "tensorboard", "the same, for TensorBoard"),
        (workdir / "checkpoints", "the trained network"),
    ]
    say("written:")
    for path, what in written:
        say(f"  {path!s:<48} {what}")
    command = f"vidjax predict --workdir={workdir} --video={video}"
    say("predict a video with it:", f"  {shlex.join(shlex.split(command))}")


if __name__ == "__main__":
    command_line.run(main, __doc__)
