import csv
import subprocess
import sys

import matplotlib.colors
import pytest

from vidjax.explain.frequency import Point
from vidjax.explain.frequency_plot import draw_points
from vidjax.explain.tables import distinct_parts, write_table

CORRECT = {("a", "low"): (7, 8, 6), ("a", "high"): (3, 8, 5), ("b", "low"): (8, 9, 9)}
POINTS = [
    Point(run, part, scale, correct / 10, correct, 10)
    for (run, part), counts in {**CORRECT, ("b", "high"): (0, 9, 4)}.items()
    for scale, correct in zip((0.0, 1.0, 2.0), counts, strict=True)
]


def test_the_table_holds_every_point(tmp_path):
    file = tmp_path / "frequency.csv"
    write_table(file, Point, POINTS)
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["run", "part", "scale", "top1", "correct", "videos"]
    read = [
        (row["run"], row["part"], float(row["scale"]), float(row["top1"]), int(row["correct"]))
        for row in rows
    ]
    assert read == [(p.run, p.part, p.scale, p.top1, p.correct) for p in POINTS]
    with pytest.raises(FileExistsError):
        write_table(file, Point, POINTS)


def test_curves_are_coloured_by_run_and_marked_by_part():
    (axes,) = draw_points(POINTS).axes
    curves = {line.get_label(): line for line in axes.lines if len(line.get_xdata()) == 3}
    looks = {
        name: (line.get_marker(), matplotlib.colors.to_hex(line.get_color()))
        for name, line in curves.items()
    }
    blue, orange = (matplotlib.colors.to_hex(color) for color in ("C0", "C1"))
    assert looks == {
        "a: low frequencies": ("o", blue),
        "a: high frequencies": ("^", blue),
        "b: low frequencies": ("o", orange),
        "b: high frequencies": ("^", orange),
    }
    curve = curves["a: high frequencies"]
    assert list(curve.get_xdata()) == [0, 1, 2]
    assert list(curve.get_ydata()) == pytest.approx([30, 80, 50])
    assert "top-1" in axes.get_ylabel()
    assert "scale" in axes.get_xlabel()


@pytest.mark.parametrize("count", [1, 4, 30])
def test_the_legend_leaves_room_for_the_curves_of_many_runs(count):
    points = [
        Point(f"seed{run}", part, scale, 0.5, 5, 10)
        for run in range(count)
        for part in ("low", "high")
        for scale in (0.0, 1.0)
    ]
    figure = draw_points(points)
    figure.draw_without_rendering()
    (axes,), (legend,) = figure.axes, figure.legends
    height = axes.get_position().height * figure.get_figheight()
    assert height == pytest.approx(3.5, abs=0.15)
    names = [text.get_text() for text in legend.get_texts()]
    assert len(names) == count + 2
    assert names[-2:] == ["low frequencies", "high frequencies"]
    colors = [matplotlib.colors.to_hex(line.get_color()) for line in legend.get_lines()[:count]]
    assert len(set(colors)) == count


def test_importing_it_loads_no_drawing_library():
    code = (
        "import vidjax, sys; vidjax.explain.scaled_parts; import vidjax.explain.frequency_plot\n"
        "print('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["runs/a/seed0", "runs/b/seed0"], ["a", "b"]),
        (["runs/a", "runs/a/b"], ["a", "a/b"]),
        (["runs/a"], ["runs/a"]),
        (["x/1/y", "x/2/z"], ["1/y", "2/z"]),
    ],
)
def test_legends_name_differing_settings(paths, expected):
    assert distinct_parts(paths) == expected
