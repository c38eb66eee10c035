import jax
import pytest

from experiments.benchmark import choice_check, convolution_times
from tests.commands import refusal, run_command
from vidjax.layers.convolution import choice
from vidjax.layers.convolution.problem import Problem

SPACE = Problem((1, 2, 6, 6, 4), (1, 3, 3, 4, 4), (1, 1, 1), ((0, 0), (1, 1), (1, 1)))
ALONE = Problem((1, 2, 6, 6, 4), (1, 1, 1, 4, 8), (2, 2, 2), ((0, 0),) * 3)


@pytest.fixture(autouse=True)
def without_onednn(monkeypatch):
    """Without oneDNN, so that the timed algorithms do not depend on the machine."""
    available = "vidjax.layers.convolution.onednn.algorithm.available"
    monkeypatch.setattr(available, lambda *_: False)


def test_each_convolution_is_listed_once_without_dead_taps():
    found = convolution_times.convolutions("r3d_18", (1, 8, 64, 64, 3), "float32")
    assert len(found) == len(set(found)) == 11
    assert found[0].kernel == (7, 7, 7, 3, 64)
    # The last stage has one frame, so two of the three temporal taps meet only padding.
    assert found[-2].kernel == (1, 3, 3, 512, 512)


def test_the_table_has_a_row_for_each_choice_and_is_never_overwritten(tmp_path, monkeypatch):
    monkeypatch.setattr(convolution_times, "convolutions", lambda *_: [SPACE, ALONE])
    path = tmp_path / "table.csv"
    given = (["one", "another"], (1, 2, 6, 6, 3), "float32", 1, path, "the command")
    rows = convolution_times.measure(*given)
    assert path.read_text().splitlines()[0] == "# the command"
    measured = choice.read_table(path)[jax.default_backend()]
    assert [(row.name, row.problem) for row in measured] == [
        ("forward", SPACE),
        ("input_gradient", SPACE),
        ("kernel_gradient", SPACE),
        ("forward", ALONE),
    ]
    for row, each in zip(rows, measured, strict=True):
        others = dict(other.split(":") for other in row["others"].split())
        assert {each.algorithms[0], *others} == set(
            convolution_times.worth_timing(each.name, each.problem)
        )
        assert all(float(ms) >= float(row["ms"]) for ms in others.values())
    with pytest.raises(ValueError, match=r"table.csv exists already"):
        convolution_times.measure(*given)


def test_an_existing_table_is_not_overwritten(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("mine")
    done = run_command("experiments.benchmark", "kernels", f"--measure={path}")
    assert done.returncode == 2
    assert done.stderr == f"error: {path} exists already; name another file\n"
    assert path.read_text() == "mine"


def test_an_interrupted_measurement_is_continued(tmp_path, monkeypatch):
    timed = []

    def times(algorithms, name, problem, *_):
        if len(timed) == 2:
            timed.append("interrupted")
            raise KeyboardInterrupt
        timed.append(name)
        return {algorithm: 1.0 + place for place, algorithm in enumerate(algorithms)}

    monkeypatch.setattr(convolution_times, "convolutions", lambda *_: [SPACE, ALONE])
    monkeypatch.setattr(convolution_times, "algorithm_times", times)
    path, part = tmp_path / "table.csv", tmp_path / "table.csv.part"
    given = (["one"], (1, 2, 6, 6, 3), "float32", 1, path)
    with pytest.raises(KeyboardInterrupt):
        convolution_times.measure(*given, "the command")
    assert not path.exists()
    # The process was killed while it wrote, so the second row is incomplete.
    part.write_text(part.read_text()[:-9])
    with pytest.raises(ValueError, match=r"table.csv.part belongs to another command"):
        convolution_times.measure(*given, "another command")
    rows = convolution_times.measure(*given, "the command")
    assert timed[3:] == ["input_gradient", "kernel_gradient", "forward"]
    assert not part.exists()
    assert len(rows) == len(choice.read_table(path)[jax.default_backend()]) == 4


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--measure=none/table.csv"], "none/table.csv: the folder none does not exist"),
        (["--measure=table.csv", "--only=point"], "--only selects cases to compare"),
        (["--only=zzz"], "--only=zzz is not part of the name of a case: 3x3x3, 64 channels; "),
        (["--measure=table.csv", "--clip=4,32"], "--clip=4,32: must be FRAMES,HEIGHT,WIDTH"),
        (["--batch=0"], "--batch=0"),
    ],
)
def test_kernels_refuses_in_one_line(flags, said):
    assert said in refusal(run_command("experiments.benchmark", "kernels", *flags))


def test_a_check_compares_the_choice_with_the_best(monkeypatch, capsys):
    row = {
        "backend": "cpu", "pass": "forward", "clip": "1x2x8x8x4", "kernel": "1x3x3",
        "strides": "1x1x1", "pads": "0+0x1+1x1+1", "outputs": "8", "groups": "1",
        "algorithm": "taps", "ms": "2", "others": "im2col:3 winograd:4",
    }  # fmt: skip
    monkeypatch.setattr(choice_check, "choose", lambda name, problem, backend: "im2col")
    assert choice_check.slowdown(row) == ("im2col", 1.5)
    choice_check.print_check([row, {**row, "algorithm": "im2col", "ms": "1", "others": ""}])
    out = capsys.readouterr().out
    assert "1 of 2 choices take at most 1.1 times as long as the best" in out
    assert "1.50" in out
    monkeypatch.setattr(choice_check, "choose", lambda name, problem, backend: "xla")
    assert choice_check.slowdown(row) == ("xla", float("inf"))


def test_a_network_may_have_a_width():
    shape = (1, 2, 8, 8, 3)
    narrow = convolution_times.convolutions("r3d_18:width=8", shape, "float32")
    assert narrow[0].outputs == 8
    assert (
        narrow[0].outputs != convolution_times.convolutions("r3d_18", shape, "float32")[0].outputs
    )
    with pytest.raises(ValueError, match="r3d_18:depth=2"):
        convolution_times.convolutions("r3d_18:depth=2", shape, "float32")
