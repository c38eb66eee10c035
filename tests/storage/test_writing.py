"""Tests writing files: atomically, under unguessable temporary names, never through links."""

import ast
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from vidjax.data.encode import write_gif, write_mp4, write_png
from vidjax.storage import writing

ROOT = Path(__file__).parents[2]
FRAMES = np.full((2, 16, 16, 3), 90, np.uint8)
WRITERS = {
    "write_text": lambda file: writing.write_text(file, "new"),
    "write_text, durable": lambda file: writing.write_text(file, "new", durable=True),
    "write_bytes": lambda file: writing.write_bytes(file, b"new"),
    "write_mp4": lambda file: write_mp4(file, FRAMES, 5),
    "write_gif": lambda file: write_gif(file, FRAMES, 5),
    "write_png": lambda file: write_png(file, FRAMES[0]),
}
every_writer = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


@every_writer
def test_an_existing_file_is_kept_until_the_new_one_is_complete(tmp_path, write, monkeypatch):
    file = tmp_path / "a"
    file.write_text("old")

    def fail(self, target):
        assert self.stat().st_size > 0
        assert file.read_text() == "old"
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", fail)
        with pytest.raises(OSError, match="No space"):
            write(file)
    assert [each.name for each in tmp_path.iterdir()] == ["a"]
    assert file.read_text() == "old"
    write(file)
    assert [each.name for each in tmp_path.iterdir()] == ["a"]
    assert file.read_bytes() != b"old"


@every_writer
@pytest.mark.parametrize("dangling", [False, True])
def test_symlinks_are_not_written_through(tmp_path, write, dangling):
    victim, file = tmp_path / "victim", tmp_path / "a"
    if not dangling:
        victim.write_text("mine")
    file.symlink_to(victim)
    with pytest.raises(writing.LinkError, match=r"a is a symbolic link to .*victim.*: remove it"):
        write(file)
    assert victim.exists() != dangling
    assert dangling or victim.read_text() == "mine"
    assert file.is_symlink()


def test_a_growing_file_is_not_opened_through_a_link(tmp_path):
    victim, file = tmp_path / "victim", tmp_path / "a"
    victim.write_text("mine")
    file.symlink_to(victim)
    with pytest.raises(writing.LinkError):
        writing.appending(file)
    # The link is created between the check and the opening.
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(writing, "refuse_link", lambda path: None)
        with pytest.raises(OSError, match="symbolic links"):
            writing.appending(file)
    assert victim.read_text() == "mine"


def test_a_growing_file_keeps_its_contents(tmp_path):
    for line in ("one\n", "two\n"):
        with writing.appending(tmp_path / "a") as stream:
            stream.write(line)
    assert (tmp_path / "a").read_text() == "one\ntwo\n"


def test_partial_downloads_are_kept_after_an_error_and_finished_once(tmp_path):
    part, file = tmp_path / "a.part", tmp_path / "a"

    def break_off():
        with writing.growing(part) as stream:
            stream.write(b"one")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    with writing.growing(part) as stream:
        assert stream.tell() == 3
        stream.write(b"two")
    file.write_bytes(b"old")
    writing.finish(part, file)
    assert file.read_bytes() == b"onetwo"
    assert not part.exists()


def test_partial_downloads_are_not_written_through_links(tmp_path):
    victim, link, part = tmp_path / "victim", tmp_path / "link", tmp_path / "part"
    victim.write_text("mine")
    link.symlink_to(victim)
    part.write_text("new")
    with pytest.raises(writing.LinkError), writing.growing(link):
        pass
    with pytest.raises(writing.LinkError):
        writing.finish(part, link)
    # The link is created between the check and the opening.
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(writing, "refuse_link", lambda path: None)
        with pytest.raises(OSError, match="symbolic links"), writing.growing(link):
            pass
    assert victim.read_text() == "mine"


def test_a_new_file_never_replaces_another(tmp_path):
    (tmp_path / "a").write_text("mine")
    (tmp_path / "b").symlink_to(tmp_path / "c")
    for name in ("a", "b"):
        with pytest.raises(FileExistsError), writing.new(tmp_path / name):
            pass
    assert (tmp_path / "a").read_text() == "mine"
    assert not (tmp_path / "c").exists()


def test_unfinished_names_are_unguessable(tmp_path):
    names = set()
    for _ in range(50):
        with writing.replacing(tmp_path / "a") as unfinished:
            names.add(unfinished.name)
    assert len(names) == 50
    assert all(len(name) > len("a..part") + 15 for name in names)


def test_two_concurrent_writers_leave_one_complete_file(tmp_path):
    file, texts = tmp_path / "a", [str(k) * 100_000 for k in range(8)]
    threads = [threading.Thread(target=writing.write_text, args=(file, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file.read_text() in texts
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_new_files_have_the_users_own_permissions(tmp_path):
    """Not those of a private temporary file, which others could not read."""
    before = os.umask(0o027)
    try:
        writing.write_text(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_names_that_are_not_utf8_are_written_unchanged(tmp_path):
    with writing.writing(tmp_path / "a") as stream:
        stream.write(os.fsdecode(b"d\xe9j"))
    assert (tmp_path / "a").read_bytes() == b"d\xe9j"


def test_folders_below_a_named_one_must_not_be_links(tmp_path):
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    run.mkdir()
    elsewhere.mkdir()
    (run / "eval").symlink_to(elsewhere)
    for folder in (run / "eval", run / "eval" / "deeper"):
        with pytest.raises(writing.LinkError, match="run/eval is a symbolic link to .*elsewhere"):
            writing.make_folder(folder, run)
    with pytest.raises(writing.LinkError, match="is not below"):
        writing.make_folder(run / "a" / ".." / ".." / "b", run)
    assert not list(elsewhere.iterdir())
    # The named folder itself may be a link, because the user chose it.
    (tmp_path / "link").symlink_to(run)
    writing.make_folder(tmp_path / "link" / "explain", tmp_path / "link")
    assert (run / "explain").is_dir()


def test_unfinished_files_are_removed_by_the_owner_or_after_a_day(tmp_path):
    old, fresh, other = (tmp_path / name for name in ("a.1.part", "b.2.part", "c.txt"))
    for file in (old, fresh, other):
        file.write_text("x")
    yesterday = time.time() - 25 * 3600
    os.utime(old, (yesterday, yesterday))
    writing.remove_unfinished(tmp_path)
    assert sorted(tmp_path.iterdir()) == [fresh, other]
    writing.remove_unfinished(tmp_path, owned=True)
    assert list(tmp_path.iterdir()) == [other]


def _writes(tree):
    """Returns calls that open files for writing, or write them, directly."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else None
        name = call.func.id if isinstance(call.func, ast.Name) else name
        modes = [*call.args, *(k.value for k in call.keywords if k.arg == "mode")]
        texts = {mode.value for mode in modes if isinstance(mode, ast.Constant)}
        opens = any(isinstance(t, str) and len(t) < 4 and set(t) & set("wax+") for t in texts)
        of_path = isinstance(call.func, ast.Attribute) and name in ("write_text", "write_bytes")
        if (name == "open" and opens) or of_path or name in ("imwrite", "savetxt"):
            yield call.lineno


def test_files_are_written_only_through_this_module():
    # PyAV opens a path from `replacing`; the exported loader only reads.
    excepted = {"vidjax/storage/writing.py", "vidjax/data/encode.py"}
    # Members of a ZIP, in a stream of `writing_bytes`.
    excepted |= {"vidjax/zipped_arrays.py", "vidjax/trained/feature_files/npz.py"}
    found = [
        f"{file.relative_to(ROOT)}:{line}"
        for package in ("vidjax", "experiments")
        for file in (ROOT / package).rglob("*.py")
        if str(file.relative_to(ROOT)) not in excepted
        for line in _writes(ast.parse(file.read_text()))
    ]
    assert found == []
    assert len(list(_writes(ast.parse("open(a, 'w'); b.write_text(c); p.open('ab')")))) == 3
