"""Draws a figure of the papers from a configuration, from runs, or from a network and a video.

Figures:
  multigrid  The shapes of batches over an epoch, for no, long, short and both cycles (thesis,
             figure 4.6).
  starts     Where training clips start, and which frames they have (thesis, figure 5.6).
  frames     Which frames of a clip a selection keeps, by a network's features (thesis, figure 5.4).
  curves     Accuracy on training clips and evaluated videos over the training of runs (RMS paper,
             figure 3). Runs named seed0, seed1, ... are averaged over the seeds of their row, which
             is the directory around them.

`vidjax tradeoff` draws accuracy against cost (figures 4.7, 5.7, 5.8), `vidjax compare` the gains of
classes (6.5), and `vidjax explain --method=amplified` kernels (6.3).

Examples:
  vidjax figure multigrid --config=srtg --output=multigrid.png
  vidjax figure starts --config=mtnet --video_frames=250 --output=starts.png
  vidjax figure frames --workdir=runs/mtnet --video=a.mp4 --layer=stem --output=frames.png
  vidjax figure curves runs/plain runs/rms --output=curves.png
  vidjax figure curves runs/reproduce/rms.2-small/marionette/*/seed* --output=figure3.png
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

from vidjax.data.multigrid import GridShape
from vidjax.run.config import Config
from vidjax.storage.paths import as_path
from vidjax.terminal import say
from vidjax.untrusted_names import nearest

from .. import command_line, network_flags
from ..explain.output_files import write_figure
from . import curves, frames, multigrid, starts

_OUTPUT = flags.DEFINE_string("output", None, "FILE: New PNG file.")
_STEPS = flags.DEFINE_integer("steps", 24, "For multigrid: steps of the epoch.", 4, 200)
_LENGTH = flags.DEFINE_integer(
    "video_frames", 250, "For starts: number of frames of the video.", 1, 100_000
)
_VIDEO = flags.DEFINE_string("video", None, "FILE: For frames: the video.")
_LAYER = flags.DEFINE_string(
    "layer", "stem", "LAYER: For frames: layer whose features are compared."
)
flags.adopt_module_key_flags(network_flags)
flags.mark_flag_as_required("output")
_CONFIG = network_flags.define_config_or_file()
# Flags that belong to one figure.
_OF_ONE = {"steps": "multigrid", "video_frames": "starts", "video": "frames", "layer": "frames"}
_KINDS = ("multigrid", "starts", "frames", "curves")


def main(kind: str, *runs: str) -> None:
    """Draws the figure, and prints the name of the file."""
    if kind not in _KINDS:
        raise ValueError(f"figure {kind!r} is unknown: {nearest(kind, _KINDS)}")
    for flag, owner in _OF_ONE.items():
        if flags.FLAGS[flag].present and owner != kind:
            raise ValueError(f"--{flag} is for the figure {owner} alone")
    if runs and kind != "curves":
        raise ValueError(f"{runs[0]!r}: the figure {kind} takes no runs, but --config")
    output = as_path(_OUTPUT.value)
    if output.exists():
        raise ValueError(f"--output={output} exists already; name another file")
    write_figure(output, _figure(kind, runs))
    say(output)


def _figure(kind: str, runs: Sequence[str]) -> object:
    if kind == "curves":
        return curves.draw([curves.read(as_path(run)) for run in _named(runs)])
    if kind == "frames":
        if not _VIDEO.value:
            raise ValueError("--video is missing: the figure frames needs a video")
        _, trained = network_flags.opened(_CONFIG.value)
        return frames.draw(frames.select(trained, as_path(_VIDEO.value), _LAYER.value))
    config = network_flags.configured(_CONFIG.value)
    if kind == "starts":
        return starts.draw(starts.sample(_clip(config), _LENGTH.value))
    base = GridShape(config.train.batch_size, config.clip.frames, config.clip.size)
    return multigrid.draw(multigrid.of_config(config), base, _STEPS.value)


def _named(runs: Sequence[str]) -> Sequence[str]:
    if not runs:
        raise ValueError("no runs are named: vidjax figure curves RUN [RUN...]")
    return runs


def _clip(config: Config) -> starts.ClipShape:
    return starts.ClipShape(**vars(config.clip))


if __name__ == "__main__":
    command_line.run(main, __doc__, arguments=("FIGURE", "[RUN...]"))
