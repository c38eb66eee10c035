"""Tests lists of videos without labels: a file, a folder and a CSV."""

import pytest

from vidjax.data.manifest import Entry, ManifestError
from vidjax.data.video_list import list_videos


@pytest.fixture
def folder(tmp_path):
    for name in ("b/two.MP4", "a.avi", "notes.txt", ".hidden.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_a_file_and_a_folder_are_listed(folder):
    found = list_videos(folder)
    assert found.entries == (Entry("a.avi", "", ""), Entry("b/two.MP4", "", ""))
    assert found.file(found.entries[1]) == folder / "b/two.MP4"
    one = list_videos(folder / "b/two.MP4")
    assert [one.file(entry) for entry in one.entries] == [folder / "b/two.MP4"]


def test_labels_and_times_of_a_csv_are_optional(folder):
    (folder / "list.csv").write_text("path\n./a.avi\ngone.mp4\n")
    assert [entry.path for entry in list_videos(folder / "list.csv").entries] == [
        "a.avi",
        "gone.mp4",
    ]
    (folder / "more.csv").write_text(
        "path,label,split,start,end,group\na.avi,walk,fold3,1,2.5,anna\nb/two.MP4,,,,,\n"
    )
    found = list_videos(folder / "more.csv", root="/elsewhere")
    assert found.entries[0] == Entry("a.avi", "walk", "fold3", 1.0, 2.5, "anna")
    assert str(found.file(found.entries[1])) == "/elsewhere/b/two.MP4"
    assert found.classes == ("walk",)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("x.csv", "label\nwalk\n", "lacks the column 'path'"),
        ("x.csv", "path\n", "contains no videos"),
        ("x.csv", "path,start,end\na.avi,2,1\n", "line 2: end 1 is not after start 2"),
        ("x.csv", "path,start\na.avi,-1\n", "line 2"),
        ("x.mp4", None, "does not exist"),
    ],
)
def test_errors_are_one_line(tmp_path, name, text, words):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ManifestError, match=words) as error:
        list_videos(tmp_path / name)
    assert "\n" not in str(error.value)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ManifestError, match="contains no videos"):
        list_videos(tmp_path)
