"""Tests the papers' tables: rows are as printed, and name networks and configurations."""

import math
import re

import pytest

from experiments.reproduce import listing
from experiments.reproduce.analytical import Counter, Line, page, render
from experiments.reproduce.paper_row import Contingency, Network, PaperRow
from experiments.reproduce.paper_scale import paper_table
from experiments.reproduce.table import find_tables
from tests.commands import refusal, run_command
from vidjax.data.catalog import sizes
from vidjax.models.model_list import model_card
from vidjax.models.registry import create_model
from vidjax.run.config import from_mapping

NAMES = [
    *("rms.1a", "rms.1b", "rms.1c", "rms.1d", "rms.2", "rms.3", "rms.4", "rms.5", "rms.6"),
    *("cr.1", "cr.2"),
    *("4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "4.7"),
    *("5.1", "5.2", "5.3", "5.4", "5.5", "5.6", "5.7", "5.8", "5.9"),
    *("6.1", "6.2", "6.3", "6.4", "6.6", "7.1"),
]
# Numbers of rows, counted in the texts. If rows are pairs or data sets, each cell counts. Rows of
# 4.1 with gates have three trainings each, and two rows of 5.2 and rms.2 are ours.
ROWS = {
    **{"rms.1a": 12, "rms.1b": 7, "rms.1c": 7, "rms.1d": 8, "rms.2": 14, "rms.3": 10},
    **{"rms.4": 7, "rms.5": 2, "rms.6": 4, "cr.1": 10, "cr.2": 18},
    **{"4.1": 26, "4.2": 19, "4.3": 12, "4.4": 13, "4.5": 36, "4.6": 14, "4.7": 30},
    **{"5.1": 15, "5.2": 8, "5.3": 15, "5.4": 14, "5.5": 21, "5.6": 13, "5.7": 8, "5.8": 18},
    **{"5.9": 11, "6.1": 14, "6.2": 24, "6.3": 18, "6.4": 8, "6.6": 14, "7.1": 9},
}
PAPERS = {"rms": "random-mean-scaling.md", "cr": "class-regularization.md"}
TINY = {"width": 4, "depths": (1, 0, 0, 0), "stem_kernel": (1, 3, 3)}


def test_every_table_of_the_papers_exists_with_all_rows():
    assert {table.name: len(table.printed) for table in find_tables(NAMES)} == ROWS
    # A table that is not in this list is a variant of another one, or our own experiment.
    others = {table.name for table in find_tables(["all"])} - {*NAMES, "cr.6.4"}
    assert all(name.startswith("evidence.") for name in others)


def numbers_of(text):
    return {float(number) for number in re.findall(r"\d+\.?\d*", text)}


def text_of(name, shared):
    """Returns the part of a paper's text that contains a table."""
    work = name.partition(".")[0]
    if work in PAPERS:
        text = (shared / "papers" / PAPERS[work]).read_text("utf-8")
        # Its table 1 has fractions.
        return f"{text}\n" + " ".join(
            f"{100 * float(n):.1f}" for n in re.findall(r"0\.\d{3}", text)
        )
    lines = (shared / "papers/thesis-modelling-across-time.md").read_text("utf-8").split("\n")
    # Captions are above or below a table.
    (place,) = (at for at, line in enumerate(lines) if line.startswith(f"Table {name}. "))
    return "\n".join(lines[max(0, place - 14) : place + (70 if name == "6.6" else 34)])


@pytest.mark.parametrize("name", [name for name in NAMES if name != "6.1"])
def test_every_printed_number_is_in_the_papers_text(name, shared):
    (table,) = find_tables([name])
    known = numbers_of(text_of(name, shared))
    for row in table.printed:
        printed = [row.top1, row.top5, row.operations, row.params]
        printed += [float(n) for n in row.facts.values() if re.fullmatch(r"\+?\d+\.?\d*", n)]
        if row.test:
            test = row.test
            printed += [test.both, test.first, test.second, test.neither, test.statistic]
        for number in printed:
            assert number is None or number in known, (row.label, number)


def test_every_row_names_a_valid_network_or_a_reason():
    rows = [row for table in find_tables(NAMES) for row in table.printed]
    assert all(row.network or row.why for row in rows)
    networks = {str(row.network): row.network for row in rows if row.network}
    assert len(networks) > 40
    for network in networks.values():
        create_model(network.name, num_classes=network.classes, **network.options)


@pytest.mark.parametrize("name", NAMES)
def test_every_trained_row_is_a_valid_configuration_of_its_network(name):
    (table,) = find_tables([name])
    trained = [row for row in table.printed if row.config]
    configs = {(row.dataset, row.folder): str(from_mapping(row.recipe())) for row in trained}
    # Each row of a data set has its own folder, and no two rows are the same run.
    assert len(configs) == len(trained)
    assert len({(dataset, text) for (dataset, _), text in configs.items()}) == len(trained)
    for row in trained:
        assert row.recipe().model.name == row.network.name
        assert not row.against or (row.dataset, row.against) in configs
    setups = table.setups.get("paper", {})
    assert [*setups] == [*dict.fromkeys(row.dataset for row in trained)]
    for dataset, setup in setups.items():
        assert [row.name for row in setup.rows] == [
            folder for of, folder in configs if of == dataset
        ]


def tiny(label, params=None, operations=None, why="", **options):
    network = Network("r3d_18", 2, 16, {**TINY, **options}, classes=3)
    return PaperRow(label, 50.0, operations=operations, params=params, network=network, why=why)


def test_different_counts_are_marked_and_explained():
    counter = Counter()
    cost = counter.count(tiny("x").network)
    exact, off = cost.params / 1e6, 1.03 * cost.params / 1e6
    rows = (
        tiny("same", params=exact),
        tiny("other", params=off, why="a typing error"),
        tiny("unexplained", params=off),
        PaperRow("absent", 1.0, why="nothing builds it"),
    )
    table = paper_table("t.1", "a table", "no work", rows)
    lines = render(table, counter).splitlines()
    cells = {line.split(" | ")[0].strip("| "): line for line in lines if line.startswith("| ")}
    assert "*" not in cells["same"]
    assert f"{exact:.2f}* |" in cells["other"]
    assert cells["other"].endswith("a typing error |")
    assert cells["unexplained"].endswith("not known |")
    assert "printed only" in cells["absent"]
    # No row has top-5 or a significance test.
    assert "top-5" not in lines[4]
    assert "chi-squared" not in lines[4]
    head, section = page([table], "by hand", counter)
    assert head.startswith("# The papers' tables\n")
    assert section == "\n" + "\n".join(lines)


def test_a_network_is_counted_once():
    told = []
    counter = Counter(told.append)
    assert counter.count(tiny("a").network) is counter.count(tiny("b").network)
    assert counter.count(tiny("c", width=5).network).params > 0
    assert len(told) == 2


@pytest.mark.parametrize(
    "options", [{"random_scaling": {}}, {"residual_drop": "shake_drop"}], ids=str
)
def test_regularisers_cost_nothing_in_evaluation(options):
    deep = {**TINY, "depths": (0, 0, 0, 1)}
    plain = Network("r3d_18", 2, 16, deep)
    counter = Counter()
    with_it = counter.count(Network("r3d_18", 2, 16, {**deep, **options}))
    assert (with_it.params, with_it.macs) == (
        counter.count(plain).params,
        counter.count(plain).macs,
    )


@pytest.mark.slow
@pytest.mark.parametrize("pool", ["average", "max", "stochastic"])
def test_all_spatial_pools_have_the_same_counts(pool):
    small = {"width": 8, "depths": (1, 1, 1, 1), "neck": 8}
    counter = Counter()
    soft = counter.count(Network("mtnet_s", 4, 32, small))
    other = counter.count(Network("mtnet_s", 4, 32, {**small, "pool": pool}))
    assert (other.params, other.macs) == (soft.params, soft.macs)


def test_the_printed_tests_follow_from_the_printed_counts():
    (table,) = find_tables(["6.6"])
    lines = [Line.of(PaperRow("x", test=row.test), Counter()) for row in table.printed if row.test]
    assert len(lines) == 7
    for line in lines:
        test = line.row.test
        assert isinstance(test, Contingency)
        assert test.both + test.first + test.second + test.neither == 13661
        b, c = test.first, test.second
        statistic = (abs(b - c) - 1) ** 2 / (b + c)
        assert round(statistic, 3) == test.statistic
        # Two digits are printed, truncated or rounded.
        assert math.erfc(math.sqrt(statistic / 2)) == pytest.approx(test.p, rel=0.05)


def test_hours_are_those_of_the_operations_of_a_training():
    (table,) = find_tables(["6.4"])
    (row, *_) = table.printed
    config = row.recipe()
    card = model_card("r3d_50_e1")
    # 120 epochs of Kinetics-400 at 16x112x112, a quarter of the card's clip.
    steps = round(120 * sizes("kinetics400")["train"] / 16)
    by_hand = steps * 16 * card.macs / 4 * 2 * 3
    assert listing.training_operations(config) == pytest.approx(by_hand, rel=1e-6)
    # If only the classifier is trained, there is no backward pass through the network.
    config.train.train_only = "head"
    assert listing.training_operations(config) == pytest.approx(by_hand / 3, rel=1e-6)


@pytest.mark.slow
def test_the_list_shows_which_data_are_on_this_machine(tmp_path):
    done = run_command("experiments.reproduce", "--list", "--table=rms.2,7.1,5.9", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    (small,) = (line for line in lines if "marionette" in line)
    assert "yes" in small
    assert "0.2" in small
    assert any("videos/mini_kinetics200 is absent" in line for line in lines)
    assert any("nothing is trained" in line for line in lines)
    assert any("weights/mtnet" in line or "weights/srtg" in line for line in lines)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--table is missing: name a table, such as 4.2, or all; --list shows them"),
        (["--table=4.2"], "--scale=small: table 4.2 has paper"),
        (["--table=7.1", "--scale=paper"], "nothing in it is trained; use --analytical"),
        (
            ["--table=4.2", "--analytical", "--scale=paper"],
            "--scale has no effect with --analytical",
        ),
        (["--list", "--workers=2"], "--workers has no effect with --list"),
        (["--table=4.1", "--tflops=2"], "--tflops has no effect without --list"),
        (["--table=cr.6.4", "--analytical"], "--table=cr.6.4 has no rows of a paper to count"),
        (["--table=rms.7", "--list"], "did you mean 'rms."),
    ],
)
def test_flags_without_effect_are_refused(arguments, message, tmp_path):
    assert message in refusal(run_command("experiments.reproduce", *arguments, cwd=tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_count_that_differs_from_the_printed_one_is_explained(name):
    (table,) = find_tables([name])
    for row in table.printed:
        line = Line.of(row, COUNTER)
        if line.other_macs or line.other_params:
            assert row.why, (row.label, line.macs, line.params)
        if row.network and not row.network.options:
            card = model_card(row.network.name)
            if row.network.classes == 400:
                assert line.params == card.params / 1e6


COUNTER = Counter()
