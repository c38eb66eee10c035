"""Tests accuracy against cost: points of evaluations and of the papers' tables."""

import csv

import numpy as np
import pytest

from configs import synthetic
from experiments import tradeoff_points
from experiments.reproduce.analytical import Counter
from experiments.reproduce.paper_row import Network, PaperRow
from experiments.reproduce.paper_scale import paper_table
from experiments.tradeoff_numbers import SIZE, offsets_of
from tests.commands import refusal, run_command
from vidjax.evaluation.cost import count_cost
from vidjax.evaluation.report import write_report
from vidjax.models.registry import create_model
from vidjax.run import workdir
from vidjax.run.config import from_mapping

TINY = {"width": 4, "depths": (1, 0, 0, 0), "stem_kernel": (1, 3, 3)}
CLASSES = ["a", "b"]


def run_of(folder, width, right, protocols=("test-1x1",)):
    """Writes a fake run: its configuration and an evaluation of ten videos."""
    config = synthetic.get_config()
    config.model.options = {**TINY, "width": width}
    workdir.claim(folder, from_mapping(config), CLASSES)
    labels = np.arange(10) % 2
    predicted = np.where(np.arange(10) < right, labels, 1 - labels)
    for protocol in protocols:
        write_report(
            folder / "eval",
            f"{protocol}-step7",
            videos=[f"video{number}" for number in range(10)],
            scores=np.eye(2)[predicted],
            labels=labels,
            classes=CLASSES,
            facts={"views": {"clips": 1, "crops": 1, "size": 16, "frames": 2}},
        )
    return folder


def test_a_point_is_a_runs_accuracy_and_the_cost_of_its_views(tmp_path):
    run = run_of(tmp_path / "a", width=4, right=7)
    point = tradeoff_points.of_run(run, Counter())
    cost = count_cost(create_model("r3d_18", num_classes=2, **TINY), (2, 16, 16))
    assert point.top1 == pytest.approx(70)
    assert (point.macs, point.params) == (cost.macs / 1e9, cost.params / 1e6)
    assert (point.dataset, point.source, point.printed) == ("synthetic", "test-1x1", False)


@pytest.mark.slow
def test_pairs_are_drawn_with_an_arrow_and_written_as_a_table(tmp_path):
    runs = [run_of(tmp_path / name, width, 5) for name, width in (("plain", 4), ("method", 5))]
    # Seeds of different runs have folders of equal names.
    other = run_of(tmp_path / "other/plain", 5, 5)
    picture = tmp_path / "out/cost.png"
    done = run_command("experiments.tradeoff", *runs, "--pairs", f"--output={picture}")
    assert done.returncode == 0, done.stderr
    assert picture.read_bytes()[:4] == b"\x89PNG"
    rows = [*csv.DictReader(picture.with_suffix(".csv").read_text().splitlines())]
    assert [(row["label"], row["after"]) for row in rows] == [("plain", ""), ("method", "plain")]
    assert float(rows[0]["params"]) < float(rows[1]["params"])
    alike = tmp_path / "alike.png"
    done = run_command("experiments.tradeoff", runs[0], other, f"--output={alike}")
    rows_alike = [*csv.DictReader(alike.with_suffix(".csv").read_text().splitlines())]
    assert [row["label"] for row in rows_alike] == [str(runs[0]), str(other)]
    again = run_command("experiments.tradeoff", *runs, f"--output={picture}")
    assert "exists already; name another --output" in refusal(again)


def test_printed_rows_have_the_papers_score_and_our_count():
    network = Network("r3d_18", 2, 16, TINY, classes=2)
    rows = (
        PaperRow("plain", 60.0, name="plain", network=network, dataset="d"),
        PaperRow("method", 61.0, network=network, dataset="d", against="plain"),
        PaperRow("not built", 62.0),
        PaperRow("no score", network=network),
    )
    points = [*tradeoff_points.of_table(paper_table("t.1", "t", "no work", rows), Counter())]
    assert [(p.label, p.top1, p.after) for p in points] == [
        ("plain", 60.0, ""),
        ("method", 61.0, "plain"),
    ]
    assert all(point.printed and point.macs > 0 and point.dataset == "d" for point in points)
    panels = tradeoff_points.draw(points).axes
    assert [axes.get_xlabel() for axes in panels] == [
        "multiply-adds per view, 1e9",
        "parameters, 1e6",
    ]
    names = [text.get_text() for text in panels[1].get_legend().get_texts()]
    assert names == ["1  plain", "2  method"]


def test_numbers_stay_in_their_points_or_go_where_nothing_lies():
    apart = [(0.0, 0.0), (100.0, 0.0), (0.0, 50.0)]
    assert offsets_of(apart) == [(0, 0)] * 3
    crowd = [(3.0 * place, 2.0 * (place % 3)) for place in range(8)]
    moved = np.array(crowd) + offsets_of(crowd)
    for own, at in enumerate(moved):
        others = np.concatenate([np.delete(moved, own, 0), np.delete(crowd, own, 0)])
        assert np.linalg.norm(others - at, axis=1).min() >= SIZE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to draw"),
        (["RUN", "--pairs"], "1 runs are not pairs"),
        (["RUN", "--protocol=val-9x9"], "has test-10x3, test-1x1"),
        (["RUN"], "choose one with --protocol"),
        (["--paper_tables=9.9"], "--table=9.9 is unknown"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, message, tmp_path):
    run = run_of(tmp_path / "a", 4, 5, protocols=("test-1x1", "test-10x3"))
    given = [str(run) if argument == "RUN" else argument for argument in arguments]
    output = tmp_path / "x.png"
    assert message in refusal(run_command("experiments.tradeoff", *given, f"--output={output}"))
    assert not output.exists()
