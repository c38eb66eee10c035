"""Tests buckets of `s3://` with moto's server on this machine: everything except runs."""

import csv
import re

import pytest

from tests.commands import refusal, run_command
from tests.storage.listing import names
from tests.trained import made
from tests.videos import numbered_frames, write_video
from vidjax.storage import buckets, leases
from vidjax.storage.local_copies import local_folder_copy, upload_folder
from vidjax.storage.ownership import InUseError, owned
from vidjax.storage.paths import as_path
from vidjax.storage.writing import appending, move, new, write_text

BUCKET = "s3://bucket"


@pytest.fixture(scope="module")
def environment():
    """Returns environment variables for a store with one bucket."""
    pytest.importorskip("s3fs", reason="the extra `s3` is not installed")
    server = pytest.importorskip("moto.server", reason="the extra `dev` has the server of S3")
    import boto3

    found = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    found.start()
    host, port = found.get_host_and_port()
    variables = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "name",
        "AWS_SECRET_ACCESS_KEY": "word",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="bucket")
        yield variables
    found.stop()


@pytest.fixture
def folder(environment, request):
    return as_path(f"{BUCKET}/{request.node.name[:20]}")


def test_files_are_written_and_read(folder):
    write_text(folder / "a.txt", "one\n")
    write_text(folder / "b/c.txt", "two\n")
    assert (folder / "a.txt").read_text() == "one\n"
    assert names(folder) == {"a.txt", "b/c.txt"}
    assert (folder / "b").is_dir()
    assert (folder / "a.txt").stat().st_size == 4
    move(folder / "a.txt", folder / "d.txt")
    assert names(folder) == {"d.txt", "b/c.txt"}
    with appending(folder / "d.txt") as stream:
        stream.write("more\n")
    assert (folder / "d.txt").read_text() == "one\nmore\n"
    with pytest.raises(FileExistsError), new(folder / "d.txt"):
        pass


def test_a_write_replaces_the_version_that_it_names_and_no_other(folder):
    url = str(folder / "a")
    first = buckets.write(url, b"1", over=None)
    with pytest.raises(FileExistsError):
        buckets.write(url, b"2", over=None)
    second = buckets.write(url, b"3", over=first)
    with pytest.raises(FileExistsError):
        buckets.write(url, b"4", over=first)
    assert buckets.read(url) == (b"3", second)
    # Writing existing content again succeeds, because an answer may have been lost.
    assert buckets.write(url, b"3", over=first) == second
    buckets.remove(url, only=first)
    assert buckets.read(url) == (b"3", second)


def test_a_folder_has_one_owner(folder, monkeypatch):
    monkeypatch.setattr(leases, "BEAT", 0.2)
    with (
        owned(folder, say=lambda line: None),
        pytest.raises(InUseError, match="is in use by process"),
        owned(folder, say=lambda line: None),
    ):
        pass
    assert not folder.exists()


def test_weights_and_videos_are_read_and_predictions_written(folder, environment, tmp_path):
    for name in ("a/1.mp4", "b/2.mp4"):
        write_video(tmp_path / "all/videos" / name, numbered_frames(12, 32, 48))
    made.write_checkpoint(tmp_path / "all/made.safetensors")
    (tmp_path / "all/names.txt").write_text("sit\nwalk\nwave\n")
    upload_folder(tmp_path / "all", folder)
    said = []
    for place, output in ((tmp_path / "all", tmp_path / "out.csv"), (folder, folder / "out.csv")):
        done = run_command(
            "experiments.predict", *made.FLAGS, "--config.clip.frames=4", "--config.eval.size=16",
            f"--weights={made.NAME}:{place / 'made.safetensors'}", f"--video={place / 'videos'}",
            f"--class_names={place / 'names.txt'}", f"--output={output}", **environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said.append(list(csv.DictReader(output.read_text().splitlines())))
    assert said[0] == said[1]
    assert [row["video"] for row in said[1]] == ["a/1.mp4", "b/2.mp4"]
    done = run_command("experiments.check_videos", folder / "videos", "--workers=1",
                       f"--output={folder / 'verdicts.csv'}", **environment)  # fmt: skip
    assert done.returncode == 0, done.stderr
    # Weights that were converted into the bucket are read from it.
    done = run_command(
        "experiments.convert", f"--model={made.NAME}", "--option=width=4",
        "--option=depths=(1,0,0,0)", f"--checkpoint={folder / 'made.safetensors'}",
        f"--output={folder / 'converted'}", **environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with local_folder_copy(folder / "converted") as copy:
        assert (copy / "model.json").is_file()


def test_runs_are_refused_by_name(folder, environment):
    given = ("--config=synthetic", f"--workdir={folder / 'run'}")
    said = refusal(run_command("experiments.train", *given, **environment))
    assert re.search(
        r"s3://\S+: Orbax cannot store arrays at s3://; choose a local folder, or", said
    )
    assert not folder.exists()


def test_a_missing_bucket_is_reported(environment):
    with pytest.raises(ValueError, match=r"s3://nobody: there is no bucket 'nobody'"):
        as_path("s3://nobody/x")
