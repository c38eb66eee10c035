"""Draws a figure of the works from a configuration, from runs, or from a network and a video.

  multigrid  shapes of batches over an epoch, for no, long, short and both cycles (thesis, 4.6)
  starts     where training clips start, and which frames they have (thesis, 5.6)
  frames     which frames of a clip a selection takes, by a network's features (thesis, 5.4)
  curves     accuracy on training and on test videos while runs were trained (RMS paper, 3)

`vidjax tradeoff` draws accuracy over cost (4.7, 5.7, 5.8), `vidjax compare` gains of classes (6.5),
and `vidjax explain --method=amplified` kernels (6.3).

Examples:
  vidjax figure multigrid --config=srtg --output=multigrid.png
  vidjax figure starts --config=mtnet --video_frames=250 --output=starts.png
  vidjax figure frames --workdir=runs/mtnet --video=a.mp4 --layer=stem --output=frames.png
  vidjax figure curves runs/plain runs/rms --output=curves.png
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

_OUTPUT = flags.DEFINE_string("output", None, "PNG to write")
_STEPS = flags.DEFINE_integer("steps", 24, "multigrid: of the epoch that is drawn", 4, 200)
_LENGTH = flags.DEFINE_integer("video_frames", 250, "starts: frames of the video", 1, 100_000)
_VIDEO = flags.DEFINE_string("video", None, "frames: the video")
_LAYER = flags.DEFINE_string("layer", "stem", "frames: whose features are compared")
flags.adopt_module_key_flags(network_flags)
flags.mark_flag_as_required("output")
_CONFIG = network_flags.define_config_or_file()
# Which flags belong to one figure alone.
_OF_ONE = {"steps": "multigrid", "video_frames": "starts", "video": "frames", "layer": "frames"}
_KINDS = ("multigrid", "starts", "frames", "curves")


def main(kind: str, *runs: str) -> None:
    """Draws, and says where."""
    if kind not in _KINDS:
        raise ValueError(f"figure {kind!r} is unknown: {nearest(kind, _KINDS)}")
    for flag, owner in _OF_ONE.items():
        if flags.FLAGS[flag].present and owner != kind:
            raise ValueError(f"--{flag} has an effect on the figure {owner} alone")
    if runs and kind != "curves":
        raise ValueError(f"{runs[0]!r}: the figure {kind} is of no runs; it takes --config")
    output = as_path(_OUTPUT.value)
    if output.exists():
        raise ValueError(f"--output={output} is there already; name another")
    write_figure(output, _figure(kind, runs))
    say(output)


def _figure(kind: str, runs: Sequence[str]) -> object:
    if kind == "curves":
        return curves.draw([curves.read(as_path(run)) for run in _named(runs)])
    if kind == "frames":
        if not _VIDEO.value:
            raise ValueError("--video is missing: the figure frames is of a video's clip")
        _, trained = network_flags.opened(_CONFIG.value)
        return frames.draw(frames.select(trained, as_path(_VIDEO.value), _LAYER.value))
    config = network_flags.configured(_CONFIG.value)
    if kind == "starts":
        return starts.draw(starts.sample(_clip(config), _LENGTH.value))
    base = GridShape(config.train.batch_size, config.clip.frames, config.clip.size)
    return multigrid.draw(multigrid.of_config(config), base, _STEPS.value)


def _named(runs: Sequence[str]) -> Sequence[str]:
    if not runs:
        raise ValueError("no runs: vidjax figure curves RUN [RUN...]")
    return runs


def _clip(config: Config) -> starts.ClipShape:
    return starts.ClipShape(**vars(config.clip))


if __name__ == "__main__":
    command_line.run(main, __doc__, arguments=("FIGURE", "[RUN...]"))
