r"""Shows what trained networks rely on, for one video or for a whole split.

Methods for a video (--video):
  tubes      Saliency Tubes: where the network looks for the class that it answers, or for others;
             with Class Regularization also stage by stage. Writes tubes.mp4, .gif, .png and .html.
  pyramid    Class Feature Pyramids: which kernels speak for the class, layer by layer. Writes
             pyramid.json, .png and .html, and layers.mp4, .gif and .png.
Several runs, or several classes, are shown side by side. The HTML pages open offline.

Methods for the evaluation split:
  frequency  accuracy over the scale of the low frequencies (circles) and of the high frequencies
             (triangles) of the features, one scaled while the other is unchanged, where Random Mean
             Scaling has its places: figure 1 of its paper with one run, figure 4 with several.
             Writes frequency.csv and frequency.png.
  gates      how many clips open each temporal gate (srtg), also in networks that were trained
             without testing them, and what the runs have logged of it. Writes gates.csv,
             gates_training.csv and gates.png.
  truth      whether maps are where the acting limbs of generated videos are, and what the network
             loses without what they show, beside maps that know nothing of it. Of other videos the
             latter alone. Runs that differ in their seed are one network. --sanity compares maps
             with those of a network that becomes random. Writes truth.csv, .md and .png, pairs.csv
             (each two maps, video by video), costs.csv, curves.csv and .png, sanity.csv and .png.
             The same command goes on where it was interrupted.

Examples:
  vidjax explain --workdir=runs/demo --video=my.mp4 --method=tubes --output=seen
  vidjax explain --workdir=runs/demo --video=my.mp4 --method=pyramid \
      --classes=sit_down,stand_up --depth=4 --threshold=0.65 --output=seen/pair
  vidjax explain --workdir=runs/plain,runs/rms --method=frequency \
      --scales=0,0.5,1,1.5,2 --output=explained/rms
  vidjax explain --workdir=runs/srtg --method=gates --output=explained/srtg
  vidjax explain --workdir=runs/seed0,runs/seed1 --method=truth --videos=24 --sanity=8 \
      --maps=saliency_tube,saliency_tube:tau=0.5,cam,rise:masks=300 --output=explained/truth
  vidjax explain --weights=i3d:kinetics400 --config.data.manifest=videos.csv --method=truth \
      --mapping=classes.csv --maps=saliency_tube,cam --output=explained/i3d
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from absl import flags

from vidjax.names import nearest
from vidjax.progress import ProgressLine
from vidjax.storage.paths import as_path
from vidjax.terminal import say

from .. import command_line, opening
from . import frequency, gates, settings, truth, video
from .settings import Subject, subjects

_METHOD = flags.DEFINE_string("method", None, "how to explain: one of those above")
_OUTPUT = flags.DEFINE_string("output", None, "folder for tables and pictures")
for _module in (frequency, opening, settings, truth, video):
    flags.adopt_module_key_flags(_module)
flags.mark_flags_as_required(["method", "output"])

Method = Callable[[Sequence[Subject], Path, ProgressLine], list[Path]]
METHODS: Mapping[str, Method] = {
    "frequency": frequency.explain_frequency,
    "gates": gates.explain_gates,
    "pyramid": video.explain_pyramid,
    "truth": truth.explain_truth,
    "tubes": video.explain_tubes,
}
FLAGS: Mapping[str, set[str]] = {
    "frequency": {"scales"},
    "gates": set(),
    "pyramid": {"video", "classes", "tube", "tau", "depth", "threshold", "top", "lists"},
    "truth": {"videos", "steps", "maps", "sanity", "shuffled", "mapping"},
    "tubes": {"video", "classes", "tube", "tau"},
}


def main() -> None:
    """Explains and names the files written."""
    if _METHOD.value not in METHODS:
        raise ValueError(f"method {_METHOD.value!r} is unknown: {nearest(_METHOD.value, METHODS)}")
    _refuse_others(_METHOD.value)
    with ProgressLine() as progress:
        files = METHODS[_METHOD.value](subjects(), as_path(_OUTPUT.value), progress)
    for file in files:
        say(f"  {file}")


def _refuse_others(method: str) -> None:
    """Refuses flags that another method takes.

    Raises:
      ValueError: names the flag and those of this method.
    """
    for name in sorted(set().union(*FLAGS.values()) - FLAGS[method]):
        if flags.FLAGS[name].present:
            own = ", ".join(f"--{known}" for known in sorted(FLAGS[method])) or "none of its own"
            raise ValueError(f"--{name} is not for --method={method}, which takes {own}")


if __name__ == "__main__":
    command_line.run(main, __doc__)
