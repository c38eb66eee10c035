r"""Exports a trained network to files that need neither vidjax nor Flax.

The network takes RGB clips uint8 [B, T, H, W, 3], any number of them, normalises the colours itself
and gives float32 logits. Beside it stand its card (classes, input, versions, sha256), load.py and
what it costs to run it on a stream of video.

Examples:
  vidjax export --workdir=runs/demo --format=stablehlo --output=exported/demo
  vidjax export --workdir=runs/demo --checkpoint=best --format=saved_model \
      --config.eval.size=128 --output=exported/demo-tensorflow
  vidjax export --weights=weights/x3d_m --format=stablehlo --output=exported/x3d_m
"""

from __future__ import annotations

from absl import flags

from vidjax.convert.converted_folder import check_empty
from vidjax.storage.paths import as_path
from vidjax.terminal import say
from vidjax.trained.exporting.export import FORMATS, export
from vidjax.trained.exporting.export_request import Exported
from vidjax.trained.exporting.program import PLATFORMS

from . import command_line, network_flags

_CLIP = flags.DEFINE_list("clip", None, "--weights: frames, height and width; if not given, theirs")
_FORMAT = flags.DEFINE_enum("format", None, list(FORMATS), "what to write")
_OUTPUT = flags.DEFINE_string("output", None, "a new folder")
_PLATFORMS = flags.DEFINE_multi_enum("platform", PLATFORMS, PLATFORMS, "to run on")
_FPS = flags.DEFINE_float("fps", None, "of the stream reported on; if not given, the run's, or 30")
flags.adopt_module_key_flags(network_flags)
flags.mark_flags_as_required(["format", "output"])
_CONFIG = network_flags.define_config()


def main() -> None:
    """Exports and reports."""
    output = as_path(_OUTPUT.value)
    check_empty(output)
    if _CLIP.value and network_flags.WORKDIR.value:
        raise ValueError("--clip is for --weights; of a run, --config.clip.frames and .eval.size")
    clip = _clip()
    _, trained = network_flags.opened(_CONFIG.value)
    fps = trained.preprocessing.fps or 30.0 if _FPS.value is None else _FPS.value
    if fps <= 0:
        raise ValueError(f"--fps={fps:g}: must be above 0")
    exported = Exported.of(trained, clip)
    report, difference = export(exported, _FORMAT.value, output, _PLATFORMS.value, fps)
    say(*str(report).splitlines())
    if difference is None:
        say(f"not loaded back: this machine is none of {', '.join(_PLATFORMS.value)}")
    else:
        say(f"loaded back: logits differ by at most {difference:.2g} from the network's own")
    for file in sorted(output.iterdir()):
        say(f"  {file}")


def _clip() -> tuple[int, int, int] | None:
    if not _CLIP.value:
        return None
    if len(_CLIP.value) != 3 or not all(part.isdecimal() and int(part) for part in _CLIP.value):
        raise ValueError(f"--clip={','.join(_CLIP.value)}: frames, height and width, as 16,112,112")
    frames, height, width = map(int, _CLIP.value)
    return frames, height, width


if __name__ == "__main__":
    command_line.run(main, __doc__)
