r"""Shows what trained networks rely on, for one video or for a whole split.

Methods for a video (--video):
  tubes      Saliency Tubes: where the network looks for the class that it answers, or for others;
             with Class Regularization also stage by stage. Writes tubes.mp4, .gif, .png and .html.
  maps       any maps of --maps: Saliency Tubes, CAMs of any layer (--layer), gradients, occlusion,
             RISE. Writes maps.mp4, .gif, .png and .html, and maps.npz, their volumes.
  pyramid    Class Feature Pyramids: which kernels speak for the class, level by level, down to a
             layer (--layer) or to kernels of it (--kernels), as kernels, groups or layers
             (--format). Writes pyramid.json, .png, .mp4, .gif and .html, and layers.mp4, .gif and
             .png.
  kernels    the strongest kernels of each level of pyramids, three frames each: a row for each
             network, a column for each video and class. Writes kernels.png and kernels.csv.
  amplified  the channels that Class Regularization amplifies most at each of its places, likewise.
             Writes amplified.png.
Several runs, or several classes, are shown side by side. The HTML pages open offline. Heat lies on
the video's own frames: the more of it, the hotter a place; a thin frame shows what the network saw.

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
  vidjax explain --weights=i3d:kinetics400 --video=my.mp4 --method=maps \
      --maps=saliency_tube,grad_cam,rise:masks=500 --output=seen/maps
  vidjax explain --workdir=runs/demo --video=my.mp4 --method=maps --layer=layer2 \
      --difference=sit_down,stand_up --output=seen/difference
  vidjax explain --workdir=runs/demo --video=my.mp4 --method=pyramid \
      --classes=sit_down,stand_up --depth=4 --threshold=0.65 --output=seen/pair
  vidjax explain --workdir=runs/a,runs/b --method=kernels --video=a.mp4,b.mp4 --output=seen/grid
  vidjax explain --workdir=runs/demo --video=my.mp4 --method=pyramid \
      --layer=layer3/block1/conv1 --kernels=3,17 --output=seen/paths
  vidjax explain --workdir=runs/plain,runs/rms --method=frequency \
      --scales=0,0.5,1,1.5,2 --output=explained/rms
  vidjax explain --workdir=runs/plain,runs/rms_gf --method=frequency --low_pass=gaussian \
      --output=explained/gaussian
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

from vidjax.progress import ProgressLine
from vidjax.storage.paths import as_path
from vidjax.terminal import say
from vidjax.untrusted_names import nearest

from .. import command_line, network_flags
from . import explained_network, frequency, gates, kernels, maps, pyramids, truth, video
from .explained_network import Subject, subjects

_METHOD = flags.DEFINE_string("method", None, "how to explain: one of those above")
_OUTPUT = flags.DEFINE_string("output", None, "folder for tables and pictures")
for _module in (frequency, kernels, maps, network_flags, pyramids, explained_network, truth, video):
    flags.adopt_module_key_flags(_module)
flags.mark_flags_as_required(["method", "output"])

Method = Callable[[Sequence[Subject], Path, ProgressLine], list[Path]]
METHODS: Mapping[str, Method] = {
    "amplified": kernels.explain_amplified,
    "frequency": frequency.explain_frequency,
    "gates": gates.explain_gates,
    "kernels": kernels.explain_kernels,
    "maps": maps.explain_maps,
    "pyramid": pyramids.explain_pyramid,
    "truth": truth.explain_truth,
    "tubes": video.explain_tubes,
}
_VIDEO = ("video", "classes", "colours", "spline")
FLAGS: Mapping[str, set[str]] = {
    "amplified": {*_VIDEO, "each"},
    "frequency": {"scales", "low_pass"},
    "gates": set(),
    "maps": {*_VIDEO, "difference", "maps", "layer"},
    "kernels": {*_VIDEO, *pyramids.FLAGS, "each"},
    "pyramid": {*_VIDEO, *pyramids.FLAGS, "tube", "tau"},
    "truth": {"videos", "steps", "maps", "sanity", "shuffled", "mapping"},
    "tubes": {*_VIDEO, "difference", "tube", "tau"},
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
