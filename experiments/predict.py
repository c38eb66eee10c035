"""Names the action in a video file: the five likeliest classes and their probabilities.

With --explain it also shows where the network looked and which kernels spoke for the class: a page
that opens offline, overlay videos and pictures, in --output or a new folder of the run.

Examples:
  python -m experiments.predict --workdir=runs/demo --video=my.mp4
  python -m experiments.predict --workdir=runs/demo --video=my.mp4 --explain
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from absl import flags

from experiments import command_line, opening
from experiments.explain.pictures import write_pyramid, write_tubes
from vidjax.names import file_name
from vidjax.terminal import say
from vidjax.trained.explaining import open_clip, see
from vidjax.trained.predicting import predict
from vidjax.writing import make_folder

_VIDEO = flags.DEFINE_string("video", None, "a video file")
_EXPLAIN = flags.DEFINE_bool("explain", False, "show where it looked")
_OUTPUT = flags.DEFINE_string("output", None, "--explain: folder for its files")
flags.adopt_module_key_flags(opening)
flags.mark_flag_as_required("video")
_CONFIG = opening.define_config()


def main() -> None:
    """Prints the top five, and the files of the explanation."""
    video = Path(_VIDEO.value)
    if _OUTPUT.value and not _EXPLAIN.value:
        raise ValueError("--output is for --explain")
    _, trained = opening.opened(_CONFIG.value)
    for name, probability in predict(trained, video):
        say(f"{probability:7.2%}  {name}")
    if _EXPLAIN.value:
        clip = open_clip(trained, video)
        output = Path(_OUTPUT.value) if _OUTPUT.value else _new_folder(opening.folder(), video)
        seen = see(clip, pyramid={})
        if seen.note:
            say(seen.note)
        given = (output, {seen.title: seen}, clip.fps, video)
        for file in (*write_tubes(*given), *write_pyramid(*given)):
            say(f"  {file}")


def _new_folder(workdir: Path, video: Path) -> Path:
    """A folder of the run for this video that is not there yet."""
    stem = file_name(video.stem)
    names = (f"{stem}{'' if k == 1 else f'-{k}'}" for k in itertools.count(1))
    folders = (workdir / "explain" / name for name in names)
    return make_folder(next(folder for folder in folders if not os.path.lexists(folder)), workdir)


if __name__ == "__main__":
    command_line.run(main, __doc__)
