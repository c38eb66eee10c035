r"""Names the action in a video, in each of many videos, or in each moment of a long one.

Of one video it says the five likeliest classes and their probabilities; with --explain also where
the network looked and which kernels spoke for the class: a page that opens offline, overlay videos
and pictures, in --output or a new folder of the run.

Of a folder, or of a CSV with the columns path[,start,end,label], it gives a row a video, as a table
and, with --output, as CSV or JSON. Videos that cannot be read are skipped and listed.

With --windows, or --every=SECONDS, windows slide over one video of any length. --output is then a
folder for windows.csv, windows.json and timeline.png, a picture of what happens when. The last
window is moved back so that it ends with the video.

With --scores=FILE.npz the probabilities of all classes are kept, too: arrays that NumPy reads
without pickles, and that vidjax fuse takes.

What Ctrl-C leaves stands in NAME.unfinished.csv, row by row.

Examples:
  vidjax predict --workdir=runs/demo --video=my.mp4
  vidjax predict --workdir=runs/demo --video=my.mp4 --start=12.5 --end=20
  vidjax predict --workdir=runs/demo --video=my.mp4 --explain
  vidjax predict --weights=i3d:kinetics400 --video=FOLDER --output=predictions.csv
  vidjax predict --workdir=runs/flow --video=FOLDER --scores=flow.npz
  vidjax predict --weights=i3d:kinetics400 --video=match.mp4 --every=1 --output=match
"""

from __future__ import annotations

import itertools
from pathlib import Path

from absl import flags

from vidjax.data.video_list import any_videos
from vidjax.run.config import Config
from vidjax.storage.paths import as_path
from vidjax.storage.writing import is_there, make_folder
from vidjax.terminal import complain, say
from vidjax.trained.clip_explanation import TAU, open_clip, see
from vidjax.trained.score_collector import Kept
from vidjax.trained.trained_network import Trained
from vidjax.untrusted_names import file_name

from . import command_line, network_flags, prediction_output
from .explain.explanation_files import Part, write_pyramid, write_tubes
from .signal_handling import INTERRUPTED

_VIDEO = flags.DEFINE_string("video", None, "a video, a folder of videos, or a CSV that lists them")
_ROOT = flags.DEFINE_string("root", None, "folder that the paths of a CSV start from; its own")
_START = flags.DEFINE_float("start", None, "of a piece of the video, in seconds", 0.0)
_END = flags.DEFINE_float("end", None, "of a piece of the video, in seconds", 0.0)
_WINDOWS = flags.DEFINE_bool("windows", False, "slide windows over the video, one after the other")
_EVERY = flags.DEFINE_float("every", None, "slide windows, so many seconds from start to start")
_EXPLAIN = flags.DEFINE_bool("explain", False, "show where it looked")
_OUTPUT = flags.DEFINE_string(
    "output", None, "table to write, .csv or .json; of --windows and --explain, a folder"
)
_SCORES = flags.DEFINE_string("scores", None, "file for the scores of all classes, .npz")
flags.adopt_module_key_flags(network_flags)
flags.mark_flag_as_required("video")
_CONFIG = network_flags.define_config()


def main() -> int:
    """Predicts, and names the files written."""
    output = as_path(_OUTPUT.value) if _OUTPUT.value else None
    try:
        return _predict(output)
    except KeyboardInterrupt:
        left = prediction_output.left(output) if output else []
        complain(f"interrupted{'; what is done is in ' if left else ''}{', '.join(map(str, left))}")
        return INTERRUPTED


def _predict(output: Path | None) -> int:
    video = as_path(_VIDEO.value)
    many = video.is_dir() or video.suffix.lower() == ".csv"
    slides = _WINDOWS.value or _EVERY.value is not None
    _refuse_together(many, slides)
    if output and not _EXPLAIN.value:
        (prediction_output.refuse_folder if slides else prediction_output.refuse_table)(output)
    scores = Kept(as_path(_SCORES.value)) if _SCORES.value else None
    config, trained = network_flags.opened(_CONFIG.value)
    code = _predicted(config, trained, many, slides, output, scores)
    if scores and not code:
        say(f"  {scores.write(trained)}")
    return code


def _predicted(
    config: Config,
    trained: Trained,
    many: bool,
    slides: bool,
    output: Path | None,
    scores: Kept | None,
) -> int:
    video = as_path(_VIDEO.value)
    if slides:
        piece = (_START.value, _END.value)
        size = config.eval.batch_size
        prediction_output.windows(trained, video, piece, _EVERY.value, size, output, scores)
        return 0
    if many:
        return _each(config, trained, video, output, scores)
    # Of an explanation, --output is the folder: there is no table.
    table = None if _EXPLAIN.value else output
    prediction_output.one(trained, video, (_START.value, _END.value), table, scores)
    if _EXPLAIN.value:
        _explain(trained, video, output)
    return 0


def _each(
    config: Config, trained: Trained, video: Path, output: Path | None, scores: Kept | None
) -> int:
    videos = any_videos(video, root=_ROOT.value)
    batch_size, threads = config.eval.batch_size, max(1, config.data.threads)
    return prediction_output.many(trained, videos, batch_size, threads, output, scores)


def _refuse_together(many: bool, slides: bool) -> None:
    """Refuses flags that say different things.

    Raises:
      ValueError: names them.
    """
    piece = _START.value is not None or _END.value is not None
    if _EXPLAIN.value and (many or slides or piece):
        raise ValueError("--explain shows the middle of one whole video; leave out the others")
    if many and slides:
        raise ValueError(f"--windows and --every are for one video; --video={_VIDEO.value} is many")
    if many and piece:
        raise ValueError(
            "--start and --end are for one video; of many, a CSV has them as columns start and end"
        )
    if _ROOT.value and not _VIDEO.value.lower().endswith(".csv"):
        raise ValueError("--root is for a CSV, whose paths start from it")
    if _END.value is not None and _END.value <= (_START.value or 0.0):
        raise ValueError(f"--end={_END.value:g} is not after --start={_START.value or 0:g}")


def _explain(trained: Trained, video: Path, output: Path | None) -> None:
    clip = open_clip(trained, video)
    folder = output or _new_folder(network_flags.folder(), video)
    seen = see(clip, tube={"tau": TAU}, pyramid={})
    if seen.note:
        say(seen.note)
    given = (folder, [Part(seen)], video)
    for file in (*write_tubes(*given), *write_pyramid(*given)):
        say(f"  {file}")


def _new_folder(workdir: Path, video: Path) -> Path:
    """A folder of the run for this video that is not there yet."""
    stem = file_name(video.stem)
    names = (f"{stem}{'' if k == 1 else f'-{k}'}" for k in itertools.count(1))
    folders = (workdir / "explain" / name for name in names)
    return make_folder(next(folder for folder in folders if not is_there(folder)), workdir)


if __name__ == "__main__":
    command_line.run(main, __doc__)
