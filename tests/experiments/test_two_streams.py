"""Tests training on RGB and flow of one data set, and their fusion."""

import numpy as np
import pytest

from tests.commands import refusal, run_command
from tests.data.test_optical_flow import moving
from tests.videos import write_video
from vidjax.data.prepared import PreparedSplit, channels_of
from vidjax.evaluation.score_files import read_score_table


def train(modality, root, *more):
    return run_command(
        "experiments.train",
        f"--config=configs/tsn.py:modality={modality},smoke=true",
        f"--workdir={root / modality}",
        f"--config.data.data_dir={root / 'data'}",
        "--config.model.options.width=4",
        "--config.train.duration=4 steps",
        "--config.every.evaluate=4 steps",
        *more,
    )


@pytest.mark.slow
def test_two_streams_are_trained_evaluated_and_fused(tmp_path):
    scores = {}
    for modality in ("rgb", "flow"):
        done = train(modality, tmp_path)
        assert done.returncode == 0, done.stderr
        done = run_command("experiments.evaluate", f"--workdir={tmp_path / modality}", "--scores")
        assert done.returncode == 0, done.stderr
        (file,) = (tmp_path / modality / "eval").glob("*-scores.npz")
        scores[modality] = read_score_table(file)
    runs = (tmp_path / "rgb", tmp_path / "flow")
    done = run_command(
        "experiments.fuse", *runs, "--weights=1,1.5", f"--output={tmp_path / 'fused'}"
    )
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "fused/eval").glob("*-scores.npz")
    fused = read_score_table(file)
    rgb, flow = (scores[modality] for modality in ("rgb", "flow"))
    order = [flow.names.tolist().index(name) for name in rgb.names]
    expected = (rgb.scores.astype(float) + 1.5 * flow.scores[order]) / 2.5
    np.testing.assert_allclose(fused.scores, expected, atol=1e-6)
    assert np.abs(rgb.scores - flow.scores[order]).max() > 1e-3
    done = run_command("experiments.compare", tmp_path / "fused", runs[0])
    assert done.returncode == 0, done.stderr
    _check_predictions(tmp_path, flow)
    _check_sheet(tmp_path)


def _check_predictions(root, flow):
    """A video file gives the same prediction as its record in the data set."""
    (videos,) = (root / "data/marionette_videos").iterdir()
    name = flow.names[0]
    done = run_command(
        "experiments.predict",
        f"--workdir={root / 'flow'}",
        f"--video={videos / name}",
        f"--scores={root / 'one.npz'}",
    )
    assert done.returncode == 0, done.stderr
    table = read_score_table(root / "one.npz")
    np.testing.assert_allclose(table.scores[0], flow.scores[0], atol=1e-5)
    done = run_command(
        "experiments.predict", f"--workdir={root / 'flow'}", f"--video={videos / name}", "--explain"
    )
    assert (
        "an explanation needs a network that takes RGB frames, but this one takes flow"
        in refusal(done)
    )
    done = run_command(
        "experiments.export",
        f"--workdir={root / 'flow'}",
        "--format=stablehlo",
        f"--output={root / 'export'}",
    )
    assert "an export needs a network that takes RGB frames, but this one takes flow" in refusal(
        done
    )


def _check_sheet(root):
    done = run_command(
        "experiments.contact_sheet", f"--workdir={root / 'flow'}", f"--output={root / 'batch.png'}"
    )
    assert done.returncode == 0, done.stderr
    assert (root / "batch.png").stat().st_size > 1000


def test_the_command_that_prepares_takes_flow(tmp_path):
    for label, move in (("a", (1, 0)), ("b", (0, 1))):
        for split in ("train", "test"):
            write_video(tmp_path / "videos" / split / label / "one.mp4", moving(*move, count=7))
    given = ["--dataset=video_folder", f"--manifest={tmp_path / 'videos'}", "--flow_bound=4"]
    given += [f"--data_dir={tmp_path / 'data'}", "--short_side=32", "--workers=1"]
    done = run_command("experiments.prepare", *given)
    assert "--flow_bound has no effect without --input=flow; leave it out" in refusal(done)
    done = run_command("experiments.prepare", *given, "--input=flow")
    assert done.returncode == 0, done.stderr
    folder = done.stdout.splitlines()[-1]
    assert "-flow-dis4-s32-q90-" in folder
    split = PreparedSplit(folder, "train", pairs=5)
    assert channels_of(split) == 10
    assert split[0].decode(np.array([0])).shape == (1, 32, 48, 10)
