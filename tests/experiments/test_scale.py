"""The model of exchanges against sums by hand, and its command."""

import re

import pytest

from experiments.benchmark.interconnect import Machine, Mesh, seconds
from tests.commands import refusal, run_command
from vidjax.evaluation.collectives import Collective

# 100 GB/s in islands of 4, 10 GB/s between them.
MACHINE = Machine(tflops=1, link=100, island=4, network=10, source="")
GIGABYTE = 10**9


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        # A ring of two sends half of it twice, one of four three quarters.
        (2, 2 * (1 / 2) / 100),
        (4, 2 * (3 / 4) / 100),
        # Two and sixteen islands, whose devices send a quarter of it.
        (8, 2 * (3 / 4) / 100 + 2 * (1 / 2) * (1 / 4) / 10),
        (64, 2 * (3 / 4) / 100 + 2 * (15 / 16) * (1 / 4) / 10),
    ],
)
def test_a_sum_over_all_devices_takes_what_its_rings_do(devices, expected):
    one = Collective("all-reduce", GIGABYTE, 8)
    assert seconds([one], Mesh(8, 1), devices, MACHINE) == pytest.approx(expected)
    assert seconds([one] * 2, Mesh(1, 8), devices, MACHINE) == pytest.approx(2 * expected)


def test_gathering_parameters_stays_inside_while_their_axis_does():
    gather = Collective("all-gather", GIGABYTE, 4, times=3)
    across = Collective("all-reduce", GIGABYTE, 2)
    for devices in (8, 64):
        time = seconds([gather], Mesh(2, 4), devices, MACHINE)
        assert time == pytest.approx(3 * (3 / 4) / 100)
    # Groups along `data` have one device in each of 16 islands.
    time = seconds([across], Mesh(2, 4), 64, MACHINE)
    assert time == pytest.approx(2 * (15 / 16) / 10)


def test_groups_that_lie_along_no_axis_are_named():
    with pytest.raises(ValueError, match="groups of 3 devices"):
        seconds([Collective("all-reduce", 8, 3)], Mesh(2, 4), 8, MACHINE)


@pytest.mark.slow
def test_scale_prints_what_is_sent_and_what_follows():
    done = run_command(
        "experiments.benchmark", "scale", "--model=r3d_18", "--width=4", "--classes=3",
        "--clip=2,16,16", "--clips=1", "--devices=4", "--dtype=float32", "--machine=h100",
        "--step_ms=1", "--most=16",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # All parameters, 134 thousand of four bytes, and sums of the normalisations.
    (size,) = re.findall(r"all-reduce +│ +4 │ +\d+ │ +(\d\.\d+) │", done.stdout)
    assert 0.52 < float(size) < 0.6
    rows = re.findall(r"│ (\d+) +│ +[\d.]+ │ +([\d.]+)% │ +([\d.]+)% │", done.stdout)
    assert [int(devices) for devices, *_ in rows] == [2, 4, 8, 16]
    assert all(float(apart) <= float(hidden) <= 100 for _, apart, hidden in rows)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--clip=4,64"], "--clip=4,64: must be FRAMES,HEIGHT,WIDTH"),
        (["--clip=4,64,32"], "--clip=4,64,32: training cuts out squares"),
        (["--fsdp=3"], "--fsdp=3 does not fit 8 devices"),
    ],
)
def test_scale_refuses_in_one_line(flags, said):
    assert said in refusal(run_command("experiments.benchmark", "scale", *flags))
