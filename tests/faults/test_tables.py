"""Tests invalid CSV files: errors name the file, and the line if possible."""

import csv
import os
import random
import re
import threading
import unicodedata

import numpy as np
import pytest

from tests.commands import refusal, run_command
from tests.videos import numbered_frames, write_video
from vidjax.data import catalog, tables
from vidjax.data.exclusions import broken_video
from vidjax.data.manifest import ManifestError, read_manifest
from vidjax.data.prepared import PreparedSplit
from vidjax.data.verdicts import COLUMNS, Verdict, read_verdicts
from vidjax.evaluation.report import write_report

HEAD = "path,label,split\n"


@pytest.fixture
def folder(tmp_path):
    for number in range(6):
        (tmp_path / f"v{number}.mp4").write_bytes(b"x")
    return tmp_path


def manifest(folder, text, encoding="utf-8"):
    file = folder / "videos.csv"
    file.write_bytes(text.encode(encoding))
    return file


DAMAGED = {
    "line 2: more fields than path,split,label; put a field that contains a comma in quotes": (
        "path,split,label\nv0.mp4,train,pour, into glass\n"
    ),
    "line 3: fewer fields than path,label,split": HEAD + "v0.mp4,walk,train\nv1.mp4,walk\n",
    "the row of line 2 continues to line 4; a quote is not closed": (
        HEAD + 'v0.mp4,"walk,train\nv1.mp4,sit,train\nv2.mp4,wave",train\n'
    ),
    "line 3: not CSV": HEAD + 'v0.mp4,walk,train\nv1.mp4,"sit,train\n',
    "line 2: not CSV": HEAD + 'v0.mp4,"walk"ing,train\n',
    "has two columns 'label'": "path,label,split,label\nv0.mp4,walk,train,sit\n",
    "lacks the column 'path'; .*; separate them by commas": "path;label;split\nv0.mp4;walk;train\n",
    "line 3: not CSV .field larger than": HEAD
    + f"v0.mp4,walk,train\nv1.mp4,{'x' * 2**24}y,train\n",
    "the row of line 2 continues to line 3; a quote is not closed, or a field contains both": (
        HEAD + 'v0.mp4,"bow,\ndeeply",train\n'
    ),
    r"the path 'v0\\n.mp4' holds a line break": HEAD + '"v0\n.mp4",bow,train\n',
    r"the label 'bow\\x1bdown' holds a line break or another control character": (
        HEAD + "v0.mp4,bow\x1bdown,train\n"
    ),
    "the label 'xx.*…' is longer than 1000 characters; rename it": (
        HEAD + f"v0.mp4,{'x' * 200_000},train\n"
    ),
    "the labels '1', '1.0' are the same number": HEAD + "v0.mp4,1,train\nv1.mp4,1.0,train\n",
    "lists 'v0.mp4' twice, in rows 2 and 3": HEAD + "v0.mp4,walk,train\n./v0.mp4,walk,test\n",
    r"'v0.mp4' \(0 s to 0.2 s\) in train and 'v0.mp4' \(0.1 s to 0.3 s\) in test overlap": (
        "path,label,split,start,end\nv0.mp4,walk,train,0,0.2\nv0.mp4,walk,test,0.1,0.3\n"
    ),
    "'v0.mp4' in train and 'v0.mp4' .* in val overlap": (
        "path,label,split,start,end\nv0.mp4,walk,val,5,6\nv0.mp4,walk,train,,\n"
    ),
}


@pytest.mark.parametrize("message", DAMAGED)
def test_errors_in_manifests_are_refused_by_name(folder, message):
    with pytest.raises(ManifestError, match=message) as refused:
        read_manifest(manifest(folder, DAMAGED[message]))
    assert "videos.csv" in str(refused.value)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize(
    ("encoding", "words"),
    [("cp1252", "line 2 has the byte 0xe9"), ("utf-16", "line 1 .* The file is in UTF-16")],
)
def test_other_encodings_are_refused_by_line(folder, encoding, words):
    file = manifest(folder, HEAD + "v0.mp4,d\u00e9j\u00e0,train\n", encoding)
    with pytest.raises(ManifestError, match=rf"videos\.csv is not UTF-8 text: {words}"):
        read_manifest(file)


def test_a_byte_order_mark_is_read_by_every_command(folder, tmp_path):
    write_video(folder / "v0.mp4", numbered_frames(4))
    file = manifest(folder, "\ufeff" + HEAD + "v0.mp4,walk,train\n")
    assert read_manifest(file).classes == ("walk",)
    output = tmp_path / "verdicts.csv"
    done = run_command("experiments.check_videos", file, f"--output={output}", "--workers=1")
    assert done.returncode == 0, done.stderr
    output.write_text("\ufeff" + output.read_text("utf-8"), "utf-8")
    assert [each.path for each in read_verdicts(output)] == ["v0.mp4"]


def test_empty_cells_at_the_end_of_a_row_are_ignored(folder):
    file = manifest(folder, HEAD + "v0.mp4,walk,train,,\n\nv1.mp4,sit,train\n")
    assert read_manifest(file).classes == ("sit", "walk")


def test_pipes_and_devices_are_refused_as_manifests(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    found = []

    def read():
        for file in (tmp_path / "pipe.csv", "/dev/zero"):
            with pytest.raises(ManifestError, match=f"{file} is not a file"):
                read_manifest(file)
            with pytest.raises(ValueError, match=f"{file} is not a file"):
                list(read_verdicts(tables.Path(file)))
            found.append(file)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(20)
    assert len(found) == 2, "reading hangs"


def test_commands_refuse_a_pipe_in_one_line(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    done = run_command(
        "experiments.train", "--config=configs/folder.py", f"--workdir={tmp_path / 'run'}",
        f"--config.data.manifest={tmp_path / 'pipe.csv'}",
    )  # fmt: skip
    assert refusal(done) == f"error: {tmp_path / 'pipe.csv'} is not a file\n"
    done = run_command(
        "experiments.check_videos", tmp_path / "pipe.csv", f"--output={tmp_path / 'v.csv'}"
    )
    assert "pipe.csv: no such folder or manifest" in refusal(done)


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", " \n "])
def test_a_label_with_line_breaks_is_read_as_one_line(folder, tmp_path, line_break):
    rows = [f'v0.mp4,"bow{line_break}deeply",train', "v1.mp4,sit,train", "v2.mp4,walk,train"]
    file = tmp_path / "lines.csv"
    file.write_bytes((HEAD + "\n".join(rows)).encode())
    found = read_manifest(file, root=folder)
    assert found.classes == ("bow deeply", "sit", "walk")
    assert [entry.label for entry in found.entries] == ["bow deeply", "sit", "walk"]
    assert "is written on several lines; it is read as 'bow deeply'" in found.notes[0]


def test_two_unicode_forms_of_a_word_are_one_class_with_a_note(folder, tmp_path):
    composed, apart = (unicodedata.normalize(form, "d\u00e9j\u00e0") for form in ("NFC", "NFD"))
    assert composed != apart
    rows = [f"v0.mp4,{composed},train", f"v1.mp4,{apart},train", f"v2.mp4,{apart},test"]
    found = read_manifest(manifest(folder, HEAD + "\n".join(rows)))
    assert found.classes == (composed,)
    (note,) = found.notes
    assert "is written in several Unicode forms" in note
    # Class folders, whose accents macOS stores separately.
    for name in (composed, apart, "walk"):
        write_video(folder / "all" / name / "a.mp4", numbered_frames(4))
        write_video(folder / "all" / name / "b.mp4", numbered_frames(4))
    notes = []
    request = catalog.Request(
        data_dir=tmp_path / "data", manifest=str(folder / "all"), workers=1, note=notes.append
    )
    prepared = PreparedSplit(catalog.prepare("video_folder", request), "train")
    assert prepared.classes == (composed, "walk")
    assert sum("is written in several Unicode forms" in note for note in notes) == 1


def test_labels_that_differ_only_in_case_cause_a_warning(folder):
    file = manifest(folder, HEAD + "v0.mp4,Walk,train\nv1.mp4,walk,train\nv2.mp4,sit,train\n")
    found = read_manifest(file)
    assert found.classes == ("Walk", "sit", "walk")
    (note,) = found.notes
    assert "'Walk', 'walk' differ only in case or spaces" in note


def test_a_video_in_both_splits_is_detected_through_links(folder):
    (folder / "link.mp4").symlink_to("v0.mp4")
    file = manifest(folder, HEAD + "v0.mp4,walk,train\nlink.mp4,walk,test\n")
    with pytest.raises(ManifestError, match=r"'v0.mp4' in train and 'link.mp4' in test"):
        read_manifest(file)
    assert len(read_manifest(file, allow_group_leak=True).entries) == 2


def test_separate_segments_of_a_video_may_be_in_both_splits(folder):
    rows = ["v0.mp4,walk,train,0,2", "v0.mp4,walk,test,2,4", "v0.mp4,sit,train,1,2"]
    file = manifest(folder, "path,label,split,start,end\n" + "\n".join(rows))
    assert len(read_manifest(file).entries) == 3


FORMULAS = ["=1+1", "+x", "-x", "@x", "'=1+1", "''-x", "'quoted'", "plain", "\tx", "$5_$"]


@pytest.mark.parametrize("name", FORMULAS)
def test_formulas_in_cells_are_escaped_and_restored(name, tmp_path):
    file = tmp_path / "table.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["name", "value"], tables.cells([name, -1.5])])
    with file.open(newline="", encoding="utf-8") as stream:
        shown = list(csv.reader(stream))[1]
    assert shown[0][0] not in "=+-@\t\r"
    assert shown[1] == "-1.5"
    assert [row for _, row in tables.rows(file, ["name"], ours=True)] == [
        {"name": name, "value": "-1.5"}
    ]


def test_predictions_with_formula_names_are_compared(tmp_path):
    classes = ["=HYPERLINK(0)", "-1", "walk"]
    videos = [f"{'=+-@'[k % 4]}{k}.mp4" for k in range(12)]
    labels = np.arange(12) % 3
    for run, wrong in (("a", ()), ("b", (3, 4))):
        predicted = np.where(np.isin(np.arange(12), wrong), (labels + 1) % 3, labels)
        files = write_report(
            tmp_path / run / "eval", "test-1x1-step1", videos=videos,
            scores=np.eye(3)[predicted], labels=labels, classes=classes, facts={},
        )  # fmt: skip
    with files[1].open(newline="", encoding="utf-8") as stream:
        cells = [cell for row in csv.reader(stream) for cell in row]
    assert not any(cell[:1] in set("=+-@") for cell in cells)
    done = run_command("experiments.compare", tmp_path / "a", tmp_path / "b")
    assert done.returncode == 0, done.stderr
    (written,) = (tmp_path / "b" / "eval").glob("*against-a.csv")
    rows = [row for _, row in tables.rows(written, ["video"], ours=True)]
    assert [(row["video"], row["label"], row["predicted by B"]) for row in rows] == [
        (videos[4], "-1", "walk"), (videos[3], "=HYPERLINK(0)", "-1"),
    ]  # fmt: skip


MATHEMATICS = [r"$100\bar$", "win $5_$ now", "a\\$b", "$", "x" * 500, "$x$" * 99]


@pytest.mark.parametrize("label", MATHEMATICS, ids=lambda label: label[:12])
def test_labels_are_not_drawn_as_mathematics(tmp_path, label):
    files = write_report(
        tmp_path, "test", videos=["a", "b"], scores=np.eye(2), labels=np.arange(2),
        classes=[label, "walk"], facts={},
    )  # fmt: skip
    assert files[2].read_bytes()[:4] == b"\x89PNG"
    with files[1].open(newline="", encoding="utf-8") as stream:
        assert [row["label"] for row in csv.DictReader(stream)] == [label, "walk"]


VERDICTS = [
    Verdict("a.mp4", "ok", "", 120, "0f" * 8, "h264", "yuv420p", 64, 48, 0, 25.0, 50, 50, 1.96),
    Verdict("=b, c.mp4", "truncated", "ends after frame 5 of 9", 90, "1e" * 8),
    Verdict("d.mp4", "absent", "no such file"),
]


def write_verdicts(file):
    with file.open("w", newline="", encoding="utf-8") as stream:
        rows = [tables.cells(vars(each).values()) for each in VERDICTS]
        csv.writer(stream, lineterminator="\n").writerows([COLUMNS, *rows])
    return file


def outcome(file):
    """The verdicts, or the error."""
    try:
        return list(read_verdicts(file)), ""
    except ValueError as error:
        return [], str(error)


def test_verdicts_with_a_flipped_byte_are_read_or_named(tmp_path):
    whole = write_verdicts(tmp_path / "verdicts.csv").read_bytes()
    rng, file = random.Random(0), tmp_path / "flipped.csv"
    refused = 0
    for _ in range(400):
        data = bytearray(whole)
        data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
        file.write_bytes(data)
        found, error = outcome(file)
        if error:
            assert str(file) in error
            assert re.search(r"line \d|not a table of verdicts|two columns", error), error
            refused += 1
        else:
            # No row is lost silently, except for a last one that seems incomplete.
            assert len(found) >= 2
    assert refused > 100


def test_a_damaged_table_of_verdicts_is_refused_by_line(tmp_path, folder):
    file = write_verdicts(tmp_path / "verdicts.csv")
    lines = file.read_text().splitlines()
    lines[2] = lines[2].replace(",90,", ",9x0,")
    file.write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=r"verdicts\.csv, line 3: bytes = '9x0': must be"):
        list(read_verdicts(file))
    done = run_command("experiments.check_videos", folder, f"--output={file}", "--workers=1")
    assert "verdicts.csv, line 3: bytes = '9x0': must be a whole number" in refusal(done)
    listed = read_manifest(manifest(folder, HEAD + "v0.mp4,walk,train\n"))
    with pytest.raises(ManifestError, match=r"data\.verdicts: .*verdicts\.csv, line 3"):
        broken_video(file, listed)


def test_an_incomplete_row_is_skipped(tmp_path):
    file = write_verdicts(tmp_path / "verdicts.csv")
    whole = file.read_bytes()
    begin = whole.rindex(b"d.mp4")
    for end in range(begin, len(whole) - 3):
        file.write_bytes(whole[:end])
        assert len(list(read_verdicts(file))) == 2
    file.write_bytes(whole[:-1])
    assert list(read_verdicts(file)) == VERDICTS
    # A letter of several bytes, truncated in the middle.
    file.write_bytes(whole + "\u00e9.mp4".encode()[:1])
    assert list(read_verdicts(file)) == VERDICTS
