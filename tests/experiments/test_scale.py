"""Tests the communication model against computations by hand, and its command."""

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
        # A device in a ring of two sends half of the array twice; in a ring of four, three
        # quarters.
        (2, 2 * (1 / 2) / 100),
        (4, 2 * (3 / 4) / 100),
        # With two and sixteen islands, devices send a quarter of the array between islands.
        (8, 2 * (3 / 4) / 100 + 2 * (1 / 2) * (1 / 4) / 10),
        (64, 2 * (3 / 4) / 100 + 2 * (15 / 16) * (1 / 4) / 10),
    ],
)
def test_the_time_of_a_sum_over_all_devices_is_that_of_its_rings(devices, expected):
    one = Collective("all-reduce", GIGABYTE, 8)
    assert seconds([one], Mesh(8, 1), devices, MACHINE) == pytest.approx(expected)
    assert seconds([one] * 2, Mesh(1, 8), devices, MACHINE) == pytest.approx(2 * expected)


def test_parameters_are_gathered_within_an_island_if_their_axis_fits():
    gather = Collective("all-gather", GIGABYTE, 4, times=3)
    across = Collective("all-reduce", GIGABYTE, 2)
    for devices in (8, 64):
        time = seconds([gather], Mesh(2, 4), devices, MACHINE)
        assert time == pytest.approx(3 * (3 / 4) / 100)
    # Groups along `data` have one device in each of 16 islands.
    time = seconds([across], Mesh(2, 4), 64, MACHINE)
    assert time == pytest.approx(2 * (15 / 16) / 10)


def test_groups_that_match_no_axis_are_named():
    with pytest.raises(ValueError, match="groups of 3 devices"):
        seconds([Collective("all-reduce", 8, 3)], Mesh(2, 4), 8, MACHINE)


@pytest.mark.slow
def test_scale_prints_communication_and_efficiency():
    done = run_command(
        "experiments.benchmark", "scale", "--model=r3d_18", "--width=4", "--classes=3",
        "--clip=2,16,16", "--clips=1", "--devices=4", "--dtype=float32", "--machine=h100",
        "--step_ms=1", "--most=16",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # All 134 thousand parameters in float32, and the sums of the norms.
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
