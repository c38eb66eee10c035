r"""Shows what trained networks rely on, in one video or over a whole split.

Methods for one video (--video):
  tubes      Saliency Tubes: where the network looks for the predicted class or for other classes.
             With Class Regularization also stage by stage. Writes tubes.mp4, .gif, .png and .html.
  maps       The maps of --maps: Saliency Tubes, CAMs of any layer (--layer), gradients, occlusion,
             RISE. Writes maps.mp4, .gif, .png and .html, and their volumes as maps.npz.
  pyramid    Class Feature Pyramids: which kernels speak for the class, level by level, down to a
             layer (--layer) or to some of its kernels (--kernels, with numbers from your own
             pyramid.png). --format shows kernels, groups or layers. Writes pyramid.json, .png,
             .mp4, .gif and .html, and layers.mp4, .gif and .png.
  kernels    The strongest kernels of each pyramid level, with three frames each: one row for each
             network, one column for each video and class. Writes kernels.png and kernels.csv.
  amplified  The channels that Class Regularization amplifies most at each of its places, in the
             same layout. Writes amplified.png.
Several runs or classes are shown side by side. The HTML pages open offline. Heat is drawn over the
video's own frames: more heat means a higher value. A thin frame marks what the network saw.

Methods for the evaluation split:
  frequency  Accuracy against the scale of the low frequencies (circles) and of the high frequencies
             (triangles) of the features. One part is scaled while the other is unchanged, at the
             places of Random Mean Scaling. One run gives figure 1 of its paper, several give figure
             4. Runs that differ only in their seed are averaged, and their reliance on high
             frequencies is compared. Writes frequency.csv and .png, reliance.csv, .md and .png.
  gates      How many clips open each temporal gate (srtg), and what the runs have logged about it.
             It also tests the gates of networks that were trained without tests. Writes gates.csv,
             gates_training.csv and gates.png.
  strides    Accuracy against the stride between the frames of a test clip. At a larger stride,
             actions look faster. It compares how much accuracy networks lose at strides that they
             were not trained with. Runs that differ only in their seed are averaged. Writes
             strides.csv, .md and .png.
  faithfulness
             Whether maps are faithful. On any videos, it measures how the class's probability falls
             when the strongest places of a map are deleted, and rises when they are inserted. On
             generated videos, whose acting limbs are known, it also measures whether maps point at
             these limbs. Random maps are measured too, for comparison. Runs that differ only in
             their seed count as one network. --sanity compares the maps with those of a network
             whose weights become random. Writes faithfulness.csv, .md and .png, pairs.csv (each
             pair of maps, video by video), costs.csv, curves.csv and .png, sanity.csv and .png. The
             same command continues where it was interrupted.

Examples:
  vidjax explain --workdir=runs/demo --video=my.mp4 --method=tubes --output=seen
  vidjax explain --weights=i3d:kinetics400 --video=my.mp4 --method=maps \
      --maps=saliency_tube,grad_cam --output=seen/maps
  vidjax explain --workdir=runs/demo --video=my.mp4 --method=maps \
      --maps=grad_cam,rise:masks=500 --output=seen/rise
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
  vidjax explain --workdir=runs/plain/seed0,runs/plain/seed1,runs/rms/seed0,runs/rms/seed1 \
      --method=frequency --low_pass=mean --recalibrate=512 --output=explained/reliance
  vidjax explain --workdir=runs/srtg --method=gates --output=explained/srtg
  vidjax explain --workdir=runs/plain,runs/srtg --method=strides --strides=1,2,3,4 \
      --without_classes=wave_slowly,wave_quickly --output=explained/strides
  vidjax explain --workdir=runs/seed0,runs/seed1 --method=faithfulness --videos=24 \
      --sanity=8 --maps=saliency_tube,saliency_tube:tau=0.5,cam,rise:masks=300 \
      --output=explained/faithfulness
  vidjax explain --weights=i3d:kinetics400 --config.data.manifest=videos.csv \
      --label_map=classes.csv --method=faithfulness --maps=saliency_tube,cam --output=explained/i3d
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from absl import flags

from vidjax.progress import ProgressLine
from vidjax.storage.paths import as_path
from vidjax.terminal import complain, say
from vidjax.untrusted_names import nearest

from .. import command_line, network_flags
from . import (
    explained_network,
    faithfulness,
    frequency,
    gates,
    kernels,
    maps,
    pyramids,
    strides,
    video,
)
from .explained_network import Subject, subjects

_METHOD = flags.DEFINE_string("method", None, "METHOD: What to show: one of the methods above.")
_OUTPUT = flags.DEFINE_string("output", None, "FOLDER: Folder for the tables and pictures.")
for _module in (
    frequency,
    kernels,
    maps,
    network_flags,
    pyramids,
    explained_network,
    faithfulness,
    strides,
    video,
):
    flags.adopt_module_key_flags(_module)
flags.mark_flags_as_required(["method", "output"])
command_line.renamed("each", "per_level")
command_line.renamed("mapping", "label_map")

Method = Callable[[Sequence[Subject], Path, ProgressLine], list[Path]]
METHODS: Mapping[str, Method] = {
    "amplified": kernels.explain_amplified,
    "faithfulness": faithfulness.explain_faithfulness,
    "frequency": frequency.explain_frequency,
    "gates": gates.explain_gates,
    "kernels": kernels.explain_kernels,
    "maps": maps.explain_maps,
    "pyramid": pyramids.explain_pyramid,
    "strides": strides.explain_strides,
    "tubes": video.explain_tubes,
}
# Old names of methods, which still work.
_RENAMED = {"truth": "faithfulness"}
_VIDEO = ("video", "classes", "colours", "spline")
FLAGS: Mapping[str, set[str]] = {
    "amplified": {*_VIDEO, "per_level"},
    "faithfulness": {"videos", "steps", "maps", "sanity", "shuffled", "label_map"},
    "frequency": {"scales", "low_pass", "recalibrate"},
    "gates": set(),
    "maps": {*_VIDEO, "difference", "maps", "layer"},
    "kernels": {*_VIDEO, *pyramids.FLAGS, "per_level"},
    "pyramid": {*_VIDEO, *pyramids.FLAGS, "tube", "tau"},
    "strides": {"strides", "without_classes"},
    "tubes": {*_VIDEO, "difference", "tube", "tau"},
}


def main() -> None:
    """Explains, and prints the names of the files."""
    method = _method()
    _refuse_others(method)
    with ProgressLine() as progress:
        files = METHODS[method](subjects(), as_path(_OUTPUT.value), progress)
    for file in files:
        say(f"  {file}")


def _method() -> str:
    """Returns the method that --method names; an old name is replaced, and the new one printed.

    Raises:
      ValueError: there is no such method.
    """
    given = str(_METHOD.value)
    if given in _RENAMED:
        complain(f"--method={given} is now called --method={_RENAMED[given]}")
        return _RENAMED[given]
    if given not in METHODS:
        raise ValueError(f"--method={given} is unknown: {nearest(given, METHODS)}")
    return given


def _refuse_others(method: str) -> None:
    """Refuses flags that are for another method.

    Raises:
      ValueError: names the flag and those of this method.
    """
    for name in sorted(set().union(*FLAGS.values()) - FLAGS[method]):
        if flags.FLAGS[name].present:
            own = ", ".join(f"--{known}" for known in sorted(FLAGS[method])) or "no flag of its own"
            raise ValueError(f"--{name} is not for --method={method}, which takes {own}")


if __name__ == "__main__":
    command_line.run(main, __doc__)
