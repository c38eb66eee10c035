"""Tests the conversion of users' paths."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import pytest

from vidjax.storage import buckets
from vidjax.storage.paths import UrlError, as_path, is_url
from vidjax.storage.writing import write_bytes, write_text

ROOT = Path(__file__).parents[2]


def test_other_texts_than_urls_are_local_paths(tmp_path):
    assert as_path(str(tmp_path)) == tmp_path
    assert type(as_path("a/b")) is type(tmp_path)
    assert not is_url(tmp_path)
    assert not is_url("c:/videos")
    assert not is_url("a:b//c")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gs:/bucket/x", "two slashes, as in gs://bucket/folder"),
        ("gs://", "the bucket is missing"),
        ("ftp://host/x", "supported are gs:// and s3://, not ftp://"),
        ("file:///x", "for a local file, give just its path"),
        ("gcs://bucket/x", "not gcs://"),
    ],
)
def test_invalid_urls_are_refused_in_one_line(text, said):
    with pytest.raises(UrlError) as error:
        as_path(text)
    assert text in str(error.value)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("url", "extra"), [("gs://b/x", "gcs"), ("s3://b/x", "s3")])
def test_a_missing_extra_is_named(monkeypatch, url, extra):
    monkeypatch.setattr(buckets, "is_installed", lambda package: False)
    with pytest.raises(UrlError, match=rf"pip install 'vidjax\[{extra}\]'"):
        as_path(url)


def test_a_missing_bucket_is_reported_before_anything_is_read(store):
    with pytest.raises(UrlError, match="there is no bucket 'nobody-made-this'"):
        as_path("gs://nobody-made-this/run")


@pytest.mark.parametrize(
    ("kind", "said"),
    [("forbidden", "no permission"), ("expired", "credentials are missing or have expired")],
)
def test_refusals_of_a_store_are_reported_with_the_fix(store, bucket, kind, said):
    store.misbehave(kind)
    with pytest.raises(UrlError) as error:
        as_path(f"{bucket}/run")
    assert said in str(error.value)
    assert bucket in str(error.value)
    assert "\n" not in str(error.value)


def test_a_bucket_is_checked_once(store, bucket):
    for name in ("a", "b", "c"):
        as_path(f"{bucket}/{name}")
    assert len(store.requests()) == 2  # one made it


def test_a_url_is_read_like_a_path(tmp_path, bucket):
    """Both kinds of paths give the same answers."""
    answers = []
    for root in (tmp_path, as_path(bucket)):
        for name in ("a.txt", "sub/b.txt", "sub/deep/c.csv"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            write_text(root / name, f"{name}\r\nzweite Zeile ä\n")
        write_bytes(root / "sub" / "bytes", bytes(range(256)))
        file, absent = root / "sub" / "b.txt", root / "sub" / "absent"
        with file.open("rb") as stream:
            lines = [stream.readline(3), stream.readline(), stream.read()]
        with file.open(encoding="utf-8", newline="") as stream:
            text = stream.read()
        answers.append(
            [
                lines,
                text,
                file.read_text(encoding="utf-8"),
                (root / "sub" / "bytes").read_bytes(),
                [p.exists() for p in (file, absent, root / "sub")],
                [p.is_file() for p in (file, absent, root / "sub")],
                [p.is_dir() for p in (file, absent, root / "sub")],
                [p.is_symlink() for p in (file, absent)],
                file.stat().st_size,
                file.lstat().st_mode & 0o170000,
                sorted(p.name for p in root.iterdir()),
                sorted(p.name for p in (root / "sub").glob("*.txt")),
                sorted(p.relative_to(root).as_posix() for p in root.glob("*/*.txt")),
                sorted(p.relative_to(root).as_posix() for p in root.rglob("*.*")),
                sorted(p.relative_to(root).as_posix() for p in root.rglob("deep/*.csv")),
                sorted(p.relative_to(root).as_posix() for p in root.rglob("sub/deep/*")),
                sorted(absent.glob("*")),
                (file.name, file.stem, file.suffix, file.parent.name),
                file.with_name("x").relative_to(root).as_posix(),
                file.absolute().is_absolute(),
                file.samefile(root / "sub" / "b.txt"),
            ]
        )
        for each in (absent.read_bytes, absent.stat, absent.unlink):
            with pytest.raises(FileNotFoundError):
                each()
        with pytest.raises(FileNotFoundError):
            list(absent.iterdir())
        absent.unlink(missing_ok=True)
        file.unlink()
        assert not file.exists()
    assert answers[0] == answers[1]


def test_walking_a_url_finds_folders_and_files(bucket):
    for name in ("a.txt", "sub/b.txt", "sub/deep/c.csv"):
        write_text(as_path(bucket) / name, "x")
    found = [(str(place), folders, files) for place, folders, files in as_path(bucket).walk()]
    assert found == [
        (bucket, ["sub"], ["a.txt"]),
        (f"{bucket}/sub", ["deep"], ["b.txt"]),
        (f"{bucket}/sub/deep", [], ["c.csv"]),
    ]


def test_urls_can_be_pickled(bucket):
    path = as_path(f"{bucket}/a/b")
    assert pickle.loads(pickle.dumps(path)) == path
    assert str(path) == f"{bucket}/a/b"


def test_urls_cannot_be_written_directly(bucket):
    path = as_path(f"{bucket}/x")
    for each in (
        lambda: path.open("w"),
        lambda: path.write_text("x"),
        lambda: path.rename(path.with_name("y")),
        lambda: path.touch(),
    ):
        with pytest.raises(ValueError, match="vidjax.storage"):
            each()


def test_listings_are_not_cached(bucket):
    root = as_path(bucket)
    write_text(root / "a", "1")
    assert [p.name for p in root.iterdir()] == ["a"]
    # As another process would.
    buckets.write(f"{bucket}/b", b"2")
    assert [p.name for p in root.iterdir()] == ["a", "b"]
    buckets.remove(f"{bucket}/a")
    assert [p.name for p in root.iterdir()] == ["b"]


# Paths that no user gives: of the package, of the system, and of temporary folders.
_OF_THE_MACHINE = {
    "vidjax/array_validation.py", "vidjax/configs/__init__.py", "vidjax/data/encode.py",
    "vidjax/data/marionette/generate.py", "vidjax/data/video_files.py", "vidjax/plugins.py",
    "vidjax/trained/exporting/load.py", "vidjax/trained/published/cache.py",
    "vidjax/trained/published/hosts/python_package.py", "vidjax/training/compile_cache.py",
    "experiments/benchmark/data.py", "experiments/benchmark/growth.py",
    "experiments/benchmark/processes.py", "experiments/benchmark/profile.py",
    "experiments/benchmark/start.py",
    "experiments/evaluation_files.py", "experiments/demo_real_video.py",
    "experiments/reproduce/data_sets.py", "experiments/runs/machine.py",
}  # fmt: skip


def test_texts_become_paths_only_through_as_path():
    """`pathlib.Path('gs://x')` would silently be a local folder."""
    made = set()
    for folder in ("vidjax", "experiments"):
        for file in (ROOT / folder).rglob("*.py"):
            name = file.relative_to(ROOT).as_posix()
            if not name.startswith("vidjax/storage/") and _makes_paths(file.read_text()):
                made.add(name)
    assert made <= _OF_THE_MACHINE


_EXCEPT = {
    # Downloads grow in the cache of weights, which is always on a local disk.
    ("vidjax/trained/published/downloading.py", "self._stream.truncate"),
    # Its own methods of that name.
    ("vidjax/training/writers/csv.py", "self.replace"),
    ("vidjax/training/writers/csv.py", "self._table.replace"),
}
_OF_DISKS_ALONE = {
    "fsync", "rename", "renames", "link", "symlink", "symlink_to", "hardlink_to", "flock", "lockf",
    "FileLock", "SoftFileLock", "truncate", "ftruncate", "fdatasync",
}  # fmt: skip


def test_file_system_operations_are_only_in_vidjax_storage():
    found = set()
    for folder in ("vidjax", "experiments"):
        for file in (ROOT / folder).rglob("*.py"):
            name = file.relative_to(ROOT).as_posix()
            if not name.startswith("vidjax/storage/"):
                found |= {(name, call) for call in _of_disks(file.read_text())}
    assert found <= _EXCEPT


def _of_disks(source: str) -> set[str]:
    """Returns calls that need a file system; `Path.replace(to)` has one argument."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        name = getattr(called, "attr", None) or getattr(called, "id", "")
        moves = name == "replace" and len(node.args) == 1 and not node.keywords
        if moves or name in _OF_DISKS_ALONE:
            found.add(ast.unparse(called))
        appends = name == "open" and any(
            isinstance(each, ast.Constant) and each.value in ("a", "ab", "r+", "r+b", "rb+")
            for each in (*node.args, *(keyword.value for keyword in node.keywords))
        )
        if appends:
            found.add(f"{ast.unparse(called)} to append or change")
    return found


def _makes_paths(source: str) -> bool:
    """Returns whether `Path(...)` is called with anything but `__file__` or no argument."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            given = [ast.unparse(each) for each in node.args]
            if node.func.id == "Path" and given not in ([], ["__file__"]):
                return "vidjax.__file__" not in given
    return False
