import pytest

from vidjax.data import annotations
from vidjax.data.manifest import ManifestError


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "annotations"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_rows_of_a_table_have_their_line_numbers(file):
    content = '\ufefflabel, id\r\n"clap, both hands",7\r\n"two\nlines",8\r\n'
    found = list(annotations.table(file(content), ("label", "id")))
    assert [row for _, row in found] == [
        {"label": "clap, both hands", "id": "7"},
        {"label": "two\nlines", "id": "8"},
    ]
    assert [where.rpartition(", ")[2] for where, _ in found] == ["line 2", "line 4"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("label,ids\na,1\n", r"annotations lacks the column 'id'; found \['label', 'ids'\]"),
        ("", "lacks the column 'label'"),
        ("label,id\na,1\nb\n", "line 3: fewer fields than label,id"),
        ("label,id\na,1,2\n", "line 2: more fields than label,id"),
        (b"label,id\n\xff,1\n", "annotations is not UTF-8 text"),
    ],
)
def test_errors_in_a_table_are_named(file, content, message):
    with pytest.raises(ManifestError, match=message):
        list(annotations.table(file(content), ("label", "id")))


def test_windows_line_ends_and_unusual_characters_are_read(file):
    found = annotations.lines(file("1 a\u2028b\r\n\r\n2 c \r\n"), r"(\d) (.+)", "1 a")
    assert [(where[-6:], match[1], match[2]) for where, match in found] == [
        ("line 1", "1", "a\u2028b"),
        ("line 3", "2", "c"),
    ]
    with pytest.raises(ManifestError, match="line 2: 'c' does not look like '1 a'"):
        list(annotations.lines(file("1 a\nc\n"), r"(\d) (.+)", "1 a"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"id": 1}, {"no": 2}]', "entry 2 lacks 'id'; expected id"),
        ("[1]", "entry 1 lacks 'id'"),
        ('{"id": 1}', "differs from its published format: it must be a list, not an object"),
        ("[", "differs from its published format: Expecting value: line 1 column 2"),
    ],
)
def test_errors_in_json_objects_are_named(file, content, message):
    with pytest.raises(ManifestError, match=message):
        list(annotations.objects(file(content), ("id",)))


def test_numbers_and_times_are_read_or_refused_by_name():
    assert annotations.number(" 2.50", "start", "here") == 2.5
    assert annotations.seconds("00:01:15.25", "start", "here") == 75.25
    assert annotations.seconds("1:15", "start", "here") == 75
    assert annotations.seconds("75", "start", "here") == 75
    for text in ("", "soon", "nan", "inf", None):
        with pytest.raises(ManifestError, match=f"here: start {text!r} is not a number"):
            annotations.number(text, "start", "here")
    for text in ("", "1:2:3:4", "1:x"):
        with pytest.raises(ManifestError, match="here: end .* is not a"):
            annotations.seconds(text, "end", "here")


def test_classes_are_sorted_by_their_numbers(tmp_path):
    assert annotations.in_order([(2, "a"), (1, "b")], 1, tmp_path) == ["b", "a"]
    for pairs in ([], [(0, "a"), (2, "b")], [(0, "a"), (0, "b")], [(1, "a")]):
        with pytest.raises(ManifestError, match="classes must be numbered 0, 1, ... without gaps"):
            annotations.in_order(pairs, 0, tmp_path)
    with pytest.raises(ManifestError, match="lists a class twice"):
        annotations.in_order([(0, "a"), (1, "a")], 0, tmp_path)
