r"""Predicts the action in a video, in many videos, or in every part of a long video.

One video: it prints the five most likely classes with their probabilities. With --explain it also
shows where the network looked and which kernels spoke for the most likely class, in one clip from
the middle of the video: an HTML page that opens offline, overlay videos and pictures, in --output
or in a new folder of the run.

Many videos: --video names a folder, or a CSV with the columns path[,start,end,label]. It prints a
table with one row per video, and writes it as CSV or JSON to --output. Unreadable videos are
skipped and listed.

A long video: with --windows or --window_stride=SECONDS, windows slide over a video of any length.
--output is then a folder for windows.csv, windows.json and timeline.png, which shows what happens
when. The last window is moved back so that it ends with the video.

--scores=FILE.npz also keeps the probabilities of all classes, as arrays that NumPy reads without
pickles and that `vidjax fuse` takes.

After Ctrl-C the finished rows are in NAME.unfinished.csv.

Examples:
  vidjax predict --workdir=runs/demo --video=my.mp4
  vidjax predict --workdir=runs/demo --video=my.mp4 --start=12.5 --end=20
  vidjax predict --workdir=runs/demo --video=my.mp4 --explain
  vidjax predict --weights=i3d:kinetics400 --video=videos --output=predictions.csv
  vidjax predict --workdir=runs/flow --video=videos --scores=flow.npz
  vidjax predict --weights=i3d:kinetics400 --video=match.mp4 --window_stride=1 --output=match
"""

from __future__ import annotations

import itertools
from pathlib import Path

from absl import flags

from vidjax.data.video_list import list_videos
from vidjax.run.config import Config
from vidjax.storage.paths import as_path
from vidjax.storage.writing import is_there, make_folder
from vidjax.terminal import complain, say
from vidjax.trained.clip_explanation import TAU, explain_clip, open_clip
from vidjax.trained.score_collector import ScoreCollector
from vidjax.trained.trained_network import Trained
from vidjax.untrusted_names import file_name

from . import command_line, network_flags, prediction_output
from .explain.explanation_files import Part, write_pyramid, write_tubes
from .signal_handling import INTERRUPTED

_VIDEO = flags.DEFINE_string(
    "video", None, "PATH: A video, a folder of videos, or a CSV that lists videos."
)
_ROOT = flags.DEFINE_string(
    "root",
    None,
    "FOLDER: Folder that the paths in a CSV are relative to. By default the CSV's own.",
)
_START = flags.DEFINE_float("start", None, "SECONDS: Start of the part to predict.", 0.0)
_END = flags.DEFINE_float("end", None, "SECONDS: End of the part to predict.", 0.0)
_WINDOWS = flags.DEFINE_bool(
    "windows", False, "Predicts windows that follow one another over the video."
)
_WINDOW_STRIDE = flags.DEFINE_float(
    "window_stride",
    None,
    "SECONDS: Predicts windows over the video, with this distance between their starts.",
)
_EXPLAIN = flags.DEFINE_bool("explain", False, "Shows where the network looked.")
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "PATH: Table to write, .csv or .json. With --windows, --window_stride or --explain, a folder.",
)
_SCORES = flags.DEFINE_string("scores", None, "FILE: File for the scores of all classes, .npz.")
flags.adopt_module_key_flags(network_flags)
command_line.renamed("every", "window_stride")
flags.mark_flag_as_required("video")
_CONFIG = network_flags.define_config()


def main() -> int:
    """Predicts, and names the files written."""
    output = as_path(_OUTPUT.value) if _OUTPUT.value else None
    try:
        return _predict(output)
    except KeyboardInterrupt:
        left = prediction_output.left(output) if output else []
        where = f"; finished rows are in {', '.join(map(str, left))}" if left else ""
        complain(f"interrupted{where}")
        return INTERRUPTED


def _predict(output: Path | None) -> int:
    video = as_path(_VIDEO.value)
    if not video.exists():
        raise ValueError(f"--video={_VIDEO.value}: no such file or folder")
    many = video.is_dir() or video.suffix.lower() == ".csv"
    slides = _WINDOWS.value or _WINDOW_STRIDE.value is not None
    _refuse_together(many, slides)
    if output and not _EXPLAIN.value:
        (prediction_output.refuse_folder if slides else prediction_output.refuse_table)(output)
    scores = ScoreCollector(as_path(_SCORES.value)) if _SCORES.value else None
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
    scores: ScoreCollector | None,
) -> int:
    video = as_path(_VIDEO.value)
    if slides:
        piece = (_START.value, _END.value)
        size = config.eval.batch_size
        prediction_output.windows(trained, video, piece, _WINDOW_STRIDE.value, size, output, scores)
        return 0
    if many:
        return _each(config, trained, video, output, scores)
    # With --explain, --output is a folder and no table is written.
    table = None if _EXPLAIN.value else output
    best = prediction_output.one(trained, video, (_START.value, _END.value), table, scores)
    if _EXPLAIN.value:
        _explain(trained, video, best, output)
    return 0


def _each(
    config: Config,
    trained: Trained,
    video: Path,
    output: Path | None,
    scores: ScoreCollector | None,
) -> int:
    videos = list_videos(video, root=_ROOT.value)
    batch_size, threads = config.eval.batch_size, max(1, config.data.threads)
    return prediction_output.many(trained, videos, batch_size, threads, output, scores)


def _refuse_together(many: bool, slides: bool) -> None:
    """Refuses flags that contradict each other.

    Raises:
      ValueError: names them.
    """
    piece = _START.value is not None or _END.value is not None
    if _EXPLAIN.value and (many or slides or piece):
        raise ValueError(
            "--explain shows the middle of one whole video; leave out --windows, --window_stride, "
            "--start and --end, and name one video"
        )
    if many and slides:
        raise ValueError(
            f"--windows and --window_stride are for one video, and --video={_VIDEO.value} is many"
        )
    if many and piece:
        raise ValueError("--start and --end are for one video; for several, use columns of a CSV")
    if _ROOT.value and not _VIDEO.value.lower().endswith(".csv"):
        raise ValueError("--root is for a CSV, whose paths are relative to it")
    if _END.value is not None and _END.value <= (_START.value or 0.0):
        raise ValueError(f"--end={_END.value:g} is not after --start={_START.value or 0:g}")


def _explain(trained: Trained, video: Path, label: str, output: Path | None) -> None:
    clip = open_clip(trained, video)
    folder = output or _new_folder(network_flags.folder(), video)
    seen = explain_clip(clip, label, tube={"tau": TAU}, pyramid={})
    say(
        "the pictures show one clip, from the middle of the video; there the probability of "
        f"{seen.label} is {seen.probability:.1%}"
    )
    if seen.note:
        say(seen.note)
    given = (folder, [Part(seen)], video)
    for file in (*write_tubes(*given), *write_pyramid(*given)):
        say(f"  {file}")


def _new_folder(workdir: Path, video: Path) -> Path:
    """Creates a new folder of the run for this video."""
    stem = file_name(video.stem)
    names = (f"{stem}{'' if k == 1 else f'-{k}'}" for k in itertools.count(1))
    folders = (workdir / "explain" / name for name in names)
    return make_folder(next(folder for folder in folders if not is_there(folder)), workdir)


if __name__ == "__main__":
    command_line.run(main, __doc__)
