"""Tests that a run in a bucket has the files of a local one, and that every command supports it."""

import csv
import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

import vidjax
from tests.commands import refusal
from tests.convert.pickles import FORMS, mapping, tensor, write
from tests.storage.listing import content, names
from tests.trained import made
from tests.training.test_resume import arrays
from vidjax.convert.checkpoint_reader import read_tensors
from vidjax.data.decode import read_video
from vidjax.evaluation.score_files import read_score_table
from vidjax.storage.local_copies import local_folder_copy
from vidjax.storage.ownership import owned
from vidjax.storage.writing import make_folder, write_bytes, write_text
from vidjax.trained.exporting.load import load
from vidjax.trained.open_weights import open_weights


def test_a_run_has_the_same_files_as_on_a_disk(local, remote, tmp_path):
    ours, theirs = remote.root / "run", local.root / "run"
    # A lock on a disk leaves a file; Orbax marks checkpoints that a bucket cannot rename.
    there = names(theirs) - {".lock"}
    assert names(ours) == there
    assert "tensorboard/events" in there
    for name in ("config.json", "classes.json", "class_weights.csv", "metrics.jsonl",
                 "metrics.csv", "checkpoints/best.json"):  # fmt: skip
        assert content(ours / name) == content(theirs / name), name
    # Two log lines, two epochs and an evaluation.
    assert len(content(ours / "metrics.jsonl").splitlines()) == 2 + 2 + 1
    environments = [json.loads(content(run / "environment.json")) for run in (ours, theirs)]
    assert environments[0] == environments[1]
    for file in (theirs / "eval").iterdir():
        assert content(ours / "eval" / file.name) == content(file), file.name
    with local_folder_copy(ours) as copy:
        (step, one), (other, two) = arrays(copy), arrays(theirs)
    assert step == other == 4
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[name], two[name]) for name in one)


def events(folder):
    """Reads the scalars of event files: length, its checksum, a record, its checksum."""
    for file in folder.iterdir():
        stream = io.BytesIO(file.read_bytes())
        while head := stream.read(12):
            event = Event.FromString(stream.read(int.from_bytes(head[:8], "little")))
            stream.read(4)
            for value in event.summary.value:
                yield event.step, value.tag, value.simple_value


def test_tensorboard_events_equal_those_on_a_disk(local, remote):
    ours, theirs = (
        [each for each in events(place.root / "run/tensorboard") if "timing" not in each[1]]
        for place in (remote, local)
    )
    assert ours == theirs
    assert {(2, "train/loss"), (4, "train/loss")} <= {(step, tag) for step, tag, _ in ours}


@pytest.mark.slow
def test_a_finished_run_is_left_alone(remote):
    run = remote.root / "run"
    before = {name: content(run / name) for name in ("metrics.jsonl", "config.json")}
    assert "done: 4 steps" in remote.ok("train", *remote.settings, f"--workdir={run}")
    assert {name: content(run / name) for name in before} == before


def test_another_configuration_is_refused(remote):
    flags = (*remote.settings, "--config.optimizer.lr=0.5", f"--workdir={remote.root / 'run'}")
    said = refusal(remote.call("train", *flags))
    assert "holds a run with another configuration: optimizer.lr" in said


def test_evaluations_equal_those_on_a_disk_even_while_the_run_is_owned(local, remote):
    flags = ("--scores", "--config.eval.clips=3", "--checkpoint=best")
    local.ok("evaluate", f"--workdir={local.root / 'run'}", *flags)
    with owned(remote.root / "run"):
        said = remote.ok("evaluate", f"--workdir={remote.root / 'run'}", *flags)
    assert f"  {remote.root}/run/eval/test-3x3-step" in said
    for file in (local.root / "run/eval").glob("test-3x3-*"):
        assert content(remote.root / "run/eval" / file.name) == content(file), file.name
    (scores,) = (remote.root / "run/eval").glob("*-scores.npz")
    assert read_score_table(scores).scores.shape == (2, 2)


@pytest.mark.slow
def test_a_second_job_in_the_directory_is_refused(remote):
    with owned(remote.root / "run"):
        flags = (*remote.settings, "--config.train.duration=6 steps")
        done = remote.call("train", *flags, f"--workdir={remote.root / 'run'}")
    assert done.returncode == 2
    *_, looking, said = done.stderr.splitlines()
    owner = rf"process {os.getpid()} on \S+ since .*"
    assert re.fullmatch(rf"{owner} holds the lease gs://.*: checking for up to .*", looking)
    pattern = rf"error: gs://runs/run is in use by {owner}: wait until .* use another --workdir"
    assert re.fullmatch(pattern, said)


@pytest.mark.slow
def test_videos_in_a_bucket_are_predicted_like_those_on_a_disk(local, remote, tmp_path):
    ours = remote.root / "predicted"
    flags = (f"--video={remote.root / 'videos'}", f"--output={ours / 'a.csv'}")
    remote.ok("predict", f"--workdir={remote.root / 'run'}", *flags, f"--scores={ours / 'a.npz'}")
    theirs = (f"--output={tmp_path / 'a.csv'}", f"--scores={tmp_path / 'a.npz'}")
    local.ok("predict", f"--workdir={local.root / 'run'}", f"--video={local.root / 'videos'}",
             *theirs)  # fmt: skip
    for name in ("a.csv", "a.npz"):
        assert content(ours / name) == content(tmp_path / name)
    assert len(list(csv.DictReader((ours / "a.csv").read_text().splitlines()))) == 10
    # No existing file is overwritten, and no unfinished file is left.
    said = refusal(remote.call("predict", f"--workdir={remote.root / 'run'}", *flags))
    assert f"{ours / 'a.csv'} exists already" in said
    assert names(ours) == {"a.csv", "a.npz"}


@pytest.mark.slow
def test_one_video_in_a_bucket_is_explained_in_a_new_folder_each_time(remote):
    run, video = remote.root / "run", remote.root / "videos/dark/0.mp4"
    for _ in range(2):
        remote.ok("predict", f"--workdir={run}", f"--video={video}", "--explain")
    first, second = names(run / "explain/0"), names(run / "explain/0-2")
    assert first == second
    assert {"tubes.mp4", "tubes.gif", "tubes.html", "pyramid.json", "layers.png"} <= first
    clip = read_video(run / "explain/0/tubes.mp4").frames
    assert clip.shape[3] == 3


@pytest.mark.slow
def test_windows_are_written_to_tables_and_a_figure_in_a_bucket(remote):
    folder = remote.root / "windows"
    flags = (
        f"--video={remote.root / 'videos/dark/0.mp4'}",
        "--window_stride=0.2",
        f"--output={folder}",
    )
    remote.ok("predict", f"--workdir={remote.root / 'run'}", *flags)
    assert names(folder) == {"windows.csv", "windows.json", "timeline.png"}


@pytest.mark.parametrize(
    ("method", "made"),
    [
        pytest.param("tubes", {"tubes.mp4", "tubes.html"}, marks=pytest.mark.slow),
        pytest.param("pyramid", {"pyramid.json", "layers.gif"}, marks=pytest.mark.slow),
        ("frequency", {"frequency.csv", "frequency.png", "reliance.csv", "reliance.md"}),
    ],
)
def test_figures_and_tables_of_explanations_are_written_to_a_bucket(remote, method, made):
    folder = remote.root / "explained" / method
    more = ("--scales=0,1",) if method == "frequency" else ()
    more = more or (f"--video={remote.root / 'videos/light/1.mp4'}",)
    remote.ok("explain", f"--workdir={remote.root / 'run'}", f"--method={method}", *more,
              f"--output={folder}")  # fmt: skip
    assert made <= names(folder)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_features_and_probes_equal_those_on_a_disk(local, remote, tmp_path, suffix):
    found = []
    for place, folder in ((local, tmp_path), (remote, remote.root / "features")):
        file = folder / f"a{suffix}"
        run = f"--workdir={place.root / 'run'}"
        place.ok("features", run, *local.settings[-2:-1], f"--output={file}")
        found.append(vidjax.read_features(file))
        place.ok("probe", f"--features={file}", "--method=knn", "--k=1",
                 f"--output={folder / f'probe{suffix}'}")  # fmt: skip
        assert names(folder / f"probe{suffix}")
    one, two = found
    assert np.array_equal(one.features, two.features)
    assert one.video.tolist() == two.video.tolist()
    # The folder of unfinished rows is removed.
    assert not [name for name in names(remote.root / "features") if "unfinished" in name]


@pytest.mark.slow
def test_an_export_in_a_bucket_is_loaded_from_a_copy(local, remote, tmp_path):
    folder = remote.root / "exported"
    flags = (f"--workdir={remote.root / 'run'}", "--format=stablehlo", f"--output={folder}")
    assert "tested: the exported network" in remote.ok("export", *flags)
    with pytest.raises(ValueError, match=r"gs://runs/exported is not on this machine; copy the"):
        load(str(folder))
    clips = np.zeros((1, 2, 16, 16, 3), np.uint8)
    with local_folder_copy(folder) as copy:
        command = [sys.executable, "load.py", "clip.npy"]
        np.save(copy / "clip.npy", clips[0])
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=True)
    assert {line.split()[1] for line in done.stdout.splitlines()} == {"dark", "light"}
    said = refusal(remote.call("export", *flags))
    assert f"{folder} is not empty" in said


@pytest.mark.slow
def test_a_run_in_a_bucket_is_opened_in_python_and_used_as_initial_weights(remote, tmp_path):
    run = vidjax.open_run(str(remote.root / "run"))
    assert run.classes == ("dark", "light")
    assert run.step == 4
    (name, chance), _ = run.predict(str(remote.root / "videos/dark/0.mp4"))
    assert name in run.classes
    assert 0.5 <= chance <= 1
    flags = (f"--config.model.weights={remote.root / 'run'}", f"--workdir={tmp_path / 'tuned'}")
    done = remote.call("train", *remote.settings, *flags)
    assert done.returncode == 0, done.stderr
    assert "run" in done.stderr


@pytest.mark.slow
def test_compared_and_fused_runs_are_read_and_written_in_a_bucket(local, remote, tmp_path):
    said = []
    for place, folder in ((local, tmp_path), (remote, remote.root / "fused")):
        run = place.root / "run"
        place.ok("evaluate", f"--workdir={run}", "--scores")
        # Another run that was evaluated on the same videos.
        make_folder(folder / "other/eval")
        for end in ("scores.npz", "predictions.csv"):
            for file in list((run / "eval").glob(f"test-1x3-*{end}")):
                write_bytes(folder / "other/eval" / file.name, file.read_bytes())
        place.ok("fuse", run, folder / "other", f"--output={folder / 'both'}")
        text = place.ok("compare", folder / "both", folder / "other", "--protocol=test-1x3")
        said.append(text.replace(str(folder), "").replace(str(place.root), ""))
    assert "McNemar" in said[0]
    assert said[0] == said[1]


@pytest.mark.slow
def test_weights_and_class_names_in_a_bucket_work_like_on_a_disk(local, remote, tmp_path):
    file = made.write_checkpoint(tmp_path / "made.safetensors")
    write_bytes(remote.root / "weights/made.safetensors", file.read_bytes())
    for place in (tmp_path, remote.root):
        write_text(place / "names.txt", "sit\nwalk\nwave\n")
    flags = (*made.FLAGS, "--config.clip.frames=4", "--config.eval.size=16")
    said = [
        place.ok("predict", f"--weights={made.NAME}:{weights}", *flags,
                 f"--class_names={names_}", f"--video={place.root / 'videos/dark/0.mp4'}")
        for place, weights, names_ in (
            (local, file, tmp_path / "names.txt"),
            (remote, remote.root / "weights/made.safetensors", remote.root / "names.txt"),
        )
    ]  # fmt: skip
    assert said[0] == said[1]
    assert "walk" in said[0]
    # Also as a folder that is written to and read from the bucket.
    folder = remote.root / "converted"
    options = ("--option=width=4", "--option=depths=(1,0,0,0)", f"--output={folder}")
    given = f"--checkpoint={remote.root / 'weights/made.safetensors'}"
    remote.ok("convert", f"--model={made.NAME}", *options, given)
    assert "model.json" in names(folder)
    one = open_weights(str(folder)).variables
    two = vidjax.load_torch(made.NAME, file, **made.OPTIONS)
    assert np.array_equal(one["params"]["head"]["kernel"], two["params"]["head"]["kernel"])


@pytest.mark.parametrize("form", FORMS)
def test_checkpoints_of_pytorch_are_read_from_a_bucket(remote, tmp_path, form):
    file, there = tmp_path / "weights.pth", remote.root / f"weights/{form}.pth"
    numbers = np.arange(12, dtype=np.float32)
    write(form, file, mapping(weight=tensor(form, (3, 4), (4, 1))), {"0": numbers})
    write_bytes(there, file.read_bytes())
    assert np.array_equal(read_tensors(str(there))["weight"], numbers.reshape(3, 4))


@pytest.mark.slow
def test_verdicts_on_videos_in_a_bucket_equal_those_on_a_disk(local, remote, tmp_path):
    output = remote.root / "verdicts.csv"
    local.ok("check_videos", local.root / "videos", f"--output={tmp_path / 'verdicts.csv'}")
    for _ in range(2):
        remote.ok("check_videos", remote.root / "videos", f"--output={output}", "--workers=1")
        ours, theirs = (
            {row["path"]: row for row in csv.DictReader(file.read_text().splitlines())}
            for file in (output, tmp_path / "verdicts.csv")
        )
        assert ours == theirs
    assert {row["verdict"] for row in ours.values()} == {"ok"}


@pytest.mark.parametrize(
    ("name", "flags", "said"),
    [
        ("train", ["--config=gs://runs/mine.py", "--workdir=gs://runs/s"],
         r"--config=gs://runs/mine.py is in a bucket: a configuration is a program"),
        ("train", ["--config=gs://runs/mine.py", "--help"],
         r"gs://runs/mine.py is in a bucket: a configuration is a program"),
        ("config", ["gs://runs/mine.py:smoke=true"],
         r"gs://runs/mine.py:smoke=true is in a bucket: a configuration is a program"),
        ("train", ["--config=synthetic", "--workdir=gs://runs/w", "--config.writers=('wandb',)"],
         r"the writer wandb writes local files, but gs://runs/w is in a bucket: remove"),
        ("predict", ["--workdir=gs://runs/none", "--video=a.mp4"],
         r"no run in gs://runs/none: config.json is absent"),
        ("train", ["--config=synthetic", "--workdir=gs://a/s"], "'a' is not a valid bucket name"),
    ],
)  # fmt: skip
def test_unsupported_operations_in_a_bucket_are_refused_in_one_line(remote, name, flags, said):
    assert re.search(said, refusal(remote.call(name, *flags)))
    assert not any((remote.root / each).exists() for each in ("s", "w"))
