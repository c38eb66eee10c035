"""Tests the benchmarks of growth, memory, explanations and data, and the roofline."""

import re

import numpy as np
import pytest

import vidjax
from experiments.benchmark import decoders
from experiments.benchmark.flops_and_bytes import count_flops_and_bytes
from experiments.benchmark.generated_videos import FPS, generated
from experiments.benchmark.growth_line import Line, slope
from experiments.benchmark.roofline import CHIPS, Product, products
from tests.commands import refusal, run_command
from vidjax.__main__ import commands
from vidjax.data.decode import read_video


def call(*arguments):
    done = run_command("experiments.benchmark", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return generated(tmp_path_factory.mktemp("videos"), 1.0)[0]


@pytest.mark.parametrize(
    "name", ["PyAV, seek", "OpenCV, seek", "decord, seek", "vidjax, from the start"]
)
def test_decoders_return_the_requested_frames(video, name):
    known = decoders.own_decoders() | decoders.peers(lambda line: None)
    if name not in known:
        pytest.skip(f"{name} is not installed")
    indices = np.array([2, 5, 6, 17])
    frames = known[name](video, indices, float(FPS)).astype(int)
    expected = read_video(video).frames.astype(int)
    assert frames.shape == (4, 240, 320, 3)
    for place, frame in zip(indices, frames, strict=True):
        # Decoders round colours differently, but wrong frames would differ much more.
        distances = np.abs(expected - frame).mean((1, 2, 3))
        assert distances.argmin() == place


def test_a_missing_decoder_is_reported_with_its_package(monkeypatch):
    monkeypatch.setattr(decoders, "is_installed", lambda package: False)
    told = []
    assert set(decoders.peers(told.append)) == {"PyAV, seek", "OpenCV, seek"}
    assert "decord, seek is left out: pip install decord2" in told


def test_a_decoder_that_does_not_load_is_reported_with_the_reason(monkeypatch):
    def broken():
        raise OSError("libavutil.so.60: cannot open shared object file")

    monkeypatch.setattr(decoders, "_OPTIONAL", {"any": ("numpy", broken)})
    told = []
    assert "any" not in decoders.peers(told.append)
    assert told == [
        "any is left out, because it does not load on this machine: "
        "libavutil.so.60: cannot open shared object file"
    ]


def test_exponents_are_those_of_power_laws():
    sizes = (1, 2, 8, 32)
    assert slope({size: 3 * size**1.7 for size in sizes}) == pytest.approx(1.7)
    assert slope(dict.fromkeys(sizes, 5.0)) == pytest.approx(0)
    # A constant cost affects the overall exponent, but hardly the last one.
    line = Line("batch", "ms", {size: 10 + size for size in (1, 10, 100, 1000)})
    assert line.exponent < 0.8 < line.last < 1


def test_growth_above_the_ideal_is_marked():
    quadratic = {size: float(size**2) for size in (8, 16, 32)}
    assert Line("frames", "ms", quadratic).cells()[-1] == "above"
    assert Line("width", "ms", quadratic, ideal=quadratic).cells()[-1] == ""


def test_a_product_takes_the_longer_of_computing_and_moving():
    chip = CHIPS["v5e"]
    dense = Product(macs=10**12, traffic=10**6, result=0, outputs=128, channelwise=False)
    assert dense.bound(chip) == pytest.approx(2e12 / 197e12)
    moving = Product(macs=1, traffic=819 * 10**9, result=0, outputs=128, channelwise=False)
    assert moving.bound(chip) == pytest.approx(1)
    # A quarter of the matrix unit is used, and a training step has three products.
    narrow = Product(macs=10**12, traffic=10**6, result=0, outputs=32, channelwise=False)
    assert narrow.expected(chip) == pytest.approx(4 * 3 * dense.bound(chip))
    # The norm moves eight arrays of the size of the result.
    normed = Product(macs=1, traffic=0, result=819 * 10**9, outputs=128, channelwise=False)
    assert normed.expected(chip) == pytest.approx(8, rel=1e-3)


def test_the_roofline_lists_the_counted_products():
    model, shape = vidjax.create_model("ir_csn_50", width=8), (2, 4, 32, 32, 3)
    found = products(model, shape)
    demand = count_flops_and_bytes(model, shape)
    assert sum(each.macs for each in found) == demand.macs
    assert sum(each.traffic for each in found) == demand.traffic
    # A channel-separated network has one channel-wise convolution per block.
    assert sum(each.channelwise for each in found) == 3 + 4 + 6 + 3


def test_roofline_prints_a_row_per_chip():
    printed = call("roofline", "--models=r3d_18", "--nocount")
    for chip in ("v5e", "h100"):
        row = re.search(rf"r3d_18 +│ +{chip} │ +([\d.]+) │ +([\d.]+) │", printed)
        least, expected = map(float, row.groups())
        assert 0 < least <= expected
    macs = vidjax.count_cost(vidjax.create_model("r3d_18"), (16, 112, 112)).macs
    # Two operations per multiply-add, and three products per step.
    assert re.search(rf"r3d_18 +│ +64 x 16x112x112 │ +{6 * 64 * macs / 1e12:.2f} │", printed)


@pytest.mark.slow
def test_growth_prints_exponents_and_draws_them(tmp_path):
    output = tmp_path / "new"
    printed = call(
        "growth", "--width=4", "--batch=1", "--clip=2,32,32", "--classes=3", "--factors=2,4",
        "--axes=batch,pixels,devices,videos", "--videos=10,300", "--devices=1,2", "--rounds=1",
        f"--output={output}",
    )  # fmt: skip
    for axis, sizes in (("batch", "2 to 4"), ("pixels", "1024 to 4096"), ("videos", "10 to 300")):
        assert re.search(rf"{axis}, {sizes} +│", printed)
    for quantity in ("ms a step", "MiB planned", "s to prepare again", "MiB planned a device"):
        assert quantity in printed
    assert (output / "growth.png").read_bytes().startswith(b"\x89PNG")
    assert "videos,s to start training,300," in (output / "growth.csv").read_text()


def test_growth_refuses_unknown_values():
    done = run_command("experiments.benchmark", "growth", "--axes=colour")
    assert "--axes=colour: must be one of batch, frames" in refusal(done)


@pytest.mark.slow
def test_memory_prints_a_row_per_case():
    printed = call(
        "memory", "--models=r3d_18", "--width=4", "--batch=2", "--clip=2,32,32", "--maps=rise"
    )
    peaks = {
        what: int(peak)
        for what, peak in re.findall(r"r3d_18 +│ +([\w ,]+?) │ +\d+ │ +[\d-]+ │ +(\d+) │", printed)
    }
    assert {"vidjax train", "vidjax train, remat", "vidjax forward", "rise"} <= peaks.keys()
    assert all(0 <= peak < 1000 for peak in peaks.values())


@pytest.mark.slow
def test_explanations_prints_costs_in_passes():
    printed = call(
        "explanations", "--models=r3d_18", "--width=4", "--clip=4,32,32", "--rounds=1",
        "--masks=8", "--views=3",
    )  # fmt: skip
    rows = re.findall(r"r3d_18 +│ +([\w ]+?) │ +[\d.]+ │ +(\d+) │ +([\d.]+) │", printed)
    passes = {what: int(count) for what, count, _ in rows}
    assert passes["rise"] == 9
    assert passes["3 views"] == 3
    assert {"saliency_tube", "class_feature_pyramid", "occlusion"} <= passes.keys()


@pytest.mark.slow
def test_the_soak_test_prints_a_row_per_tenth():
    printed = call(
        "data", "--soak=0.02", "--seconds=1", "--frames=2", "--size=32", "--short_sides=48"
    )
    assert len(re.findall(r"\n│ \d+ +│ +\d+ │ +\d+ │ +\d+ │ +[\d.]+ │ +\d+ │", printed)) == 10


@pytest.mark.slow
def test_program_reads_a_step_that_is_compiled_here():
    printed = call(
        "program", "--topology=", "--model=r3d_18", "--width=4", "--classes=3", "--clips=1",
        "--clip=2,16,16", "--dtype=float32",
    )  # fmt: skip
    (count,) = re.findall(r"float32 products +│ +(\d+) │", printed)
    # At least the 17 convolutions outside of shortcuts; results below 1 KiB are left out.
    assert int(count) >= 17


@pytest.mark.slow
def test_start_times_the_compiler_both_starts_and_the_help_of_every_command():
    printed = call(
        "start", "--models=r3d_18", "--passes=forward", "--batch=1", "--clip=4,32,32", "--rounds=1"
    )
    number = r"\d+\.\d+"
    assert re.search(rf"r3d_18 +│ forward │ +{number} │ +{number} │ +{number} │", printed)
    starts = re.findall(
        rf"(train|predict), (first|second) start: .*?│ +{number} │ +{number}", printed
    )
    assert starts == [(what, turn) for what in ("train", "predict") for turn in ("first", "second")]
    helped = re.findall(rf"vidjax (\w+) --help +│ +({number}) │", printed)
    assert [name for name, _ in helped] == list(commands())
    assert all(float(seconds) > 0 for _, seconds in helped)
