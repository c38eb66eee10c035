"""Tests unreadable video files and unusual file names: each gets one verdict."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from tests.commands import ROOT, run_command
from tests.videos import numbered_frames, write_video
from vidjax.data import catalog
from vidjax.data.decode import DecodeError, read_video
from vidjax.data.exclusions import broken_video
from vidjax.data.manifest import ManifestError, read_manifest
from vidjax.data.prepared import PreparedSplit
from vidjax.data.verdicts import check_video, read_verdicts

NOBODY = 65534
AS_NOBODY = f"""
import os, sys
from vidjax.data.verdicts import check_video
if os.geteuid() == 0:
    os.setuid({NOBODY})
for name in sys.argv[1:]:
    found = check_video(name)
    print(found.verdict, "|", found.detail, "|", found.usable)
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for a file that fails")


@pytest.fixture
def videos():
    """Makes a folder that any user may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    write_video(folder / "sound.mp4", numbered_frames(8))
    yield folder
    shutil.rmtree(folder)


def test_a_file_without_permission_is_unreadable(videos):
    shutil.copy(videos / "sound.mp4", videos / "secret.mp4")
    (videos / "secret.mp4").chmod(0)
    (videos / "closed").mkdir()
    shutil.copy(videos / "sound.mp4", videos / "closed" / "inside.mp4")
    (videos / "closed").chmod(0)
    names = [videos / "secret.mp4", videos / "closed" / "inside.mp4", videos / "sound.mp4"]
    command = [sys.executable, "-c", AS_NOBODY, *map(str, names)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    (videos / "closed").chmod(0o755)
    assert done.returncode == 0, done.stderr
    denied = f"unreadable | {os.strerror(errno.EACCES)} | False"
    assert done.stdout.splitlines() == [denied, denied, "ok |  | True"]


@linux
def test_an_unreadable_file_gets_one_verdict(videos):
    # The memory of a process at address 0: reading it is a device error.
    (videos / "failing.mp4").symlink_to("/proc/self/mem")
    (videos / "folder.mp4").mkdir()
    (videos / "dangling.mp4").symlink_to(videos / "nowhere")
    output = videos / "verdicts.csv"
    (videos / "all.csv").write_text(
        "path\nfailing.mp4\nfolder.mp4\ndangling.mp4\nsound.mp4\nsound.mp4/inside.mp4\n"
    )
    for _ in range(2):
        # The second call finds the table of the first.
        done = run_command(
            "experiments.check_videos", videos / "all.csv", f"--output={output}", "--workers=1"
        )
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        found = {each.path: (each.verdict, each.detail) for each in read_verdicts(output)}
        assert found == {
            "failing.mp4": ("unreadable", os.strerror(errno.EIO)),
            "folder.mp4": ("absent", "not a file"),
            "dangling.mp4": ("absent", "no such file"),
            "sound.mp4/inside.mp4": ("absent", "no such file"),
            "sound.mp4": ("ok", ""),
        }


@linux
def test_a_temporary_verdict_excludes_no_video(videos):
    (videos / "walk").mkdir()
    for name in ("a", "b"):
        shutil.copy(videos / "sound.mp4", videos / "walk" / f"{name}.mp4")
    (videos / "walk" / "c.mp4").symlink_to("/proc/self/mem")
    (videos / "sound.mp4").unlink()
    output = videos / "verdicts.csv"
    run_command("experiments.check_videos", videos, f"--output={output}", "--workers=1")
    assert {each.verdict for each in read_verdicts(output)} == {"ok", "unreadable"}
    (videos / "walk" / "c.mp4").unlink()
    shutil.copy(videos / "walk" / "a.mp4", videos / "walk" / "c.mp4")
    manifest = read_manifest(videos)
    assert [broken_video(output, manifest)(entry) for entry in manifest.entries] == ["", "", ""]


NAMES = {
    "percent": "%d 100%s.mp4",
    "brackets": "[b]x[/y].mp4",
    "formula": "=1+1.mp4",
    "dollars": "win $5_$ now.mp4",
    "quote": 'say "x",y.mp4',
    "apostrophe": "'=1.mp4",
}
STRANGE = {"line break": "two\nlines.mp4", "escape": "red\x1b[31m.mp4"}


def copy_as(videos, name):
    (videos / name).parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copy(videos / "sound.mp4", videos / name)
    except OSError as error:
        if error.errno != errno.EILSEQ:
            raise
        pytest.skip("this file system takes UTF-8 names alone")


def test_names_of_any_kind_get_verdicts(videos):
    names = [*NAMES.values(), *STRANGE.values(), os.fsdecode(b"d\xe9j\xe0.mp4")]
    for name in names:
        copy_as(videos, name)
    output = videos / "verdicts.csv"
    for _ in range(2):
        done = run_command("experiments.check_videos", videos, f"--output={output}", "--workers=1")
        assert done.returncode == 0, done.stderr
        found = {each.path: each.verdict for each in read_verdicts(output)}
        told = {r"two\nlines.mp4", r"red\x1b[31m.mp4", r"d\xe9j\xe0.mp4", "sound.mp4"}
        assert found == dict.fromkeys({*NAMES.values(), *told}, "ok")
        # Each is one line of plain text.
        assert len(output.read_text("utf-8").splitlines()) == len(found) + 1
        assert output.read_text("utf-8").replace("\n", "").isprintable()
        assert "\x1b" not in done.stderr


def test_unusual_printable_names_are_prepared_and_read_back(videos, tmp_path):
    for name in NAMES.values():
        copy_as(videos, f"walk/{name}")
    (videos / "sound.mp4").unlink()
    request = catalog.Request(data_dir=tmp_path, manifest=str(videos), workers=1)
    folder = catalog.prepare("video_folder", request)
    splits = [PreparedSplit(folder, split) for split in ("train", "test")]
    names = {split[index].name for split in splits for index in range(len(split))}
    assert names == {f"walk/{name}" for name in NAMES.values()}


@pytest.mark.parametrize("name", [*STRANGE.values(), os.fsdecode(b"d\xe9j.mp4")])
def test_a_folder_with_unprintable_names_is_refused_in_one_line(videos, name):
    copy_as(videos, f"walk/{name}")
    (videos / "sound.mp4").unlink()
    with pytest.raises(ManifestError, match="the path 'walk/.*rename it") as refused:
        read_manifest(videos)
    assert str(refused.value).isprintable()


def test_a_text_file_with_a_video_suffix_is_named(videos):
    (videos / "x.mp4").write_text('<svg xmlns="http://www.w3.org/2000/svg"></svg>')
    with pytest.raises(DecodeError, match="x.mp4: not a readable video"):
        read_video(videos / "x.mp4")
    assert check_video("x.mp4", videos).verdict == "undecodable"
    assert np.shape(read_video(videos / "sound.mp4").frames)[0] == 8
