"""The benchmarks of growth, memory, explanations, data and predictions on paper."""

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
def test_decoders_give_the_frames_that_are_asked_for(video, name):
    known = decoders.own_decoders() | decoders.peers(lambda line: None)
    if name not in known:
        pytest.skip(f"{name} is not installed")
    indices = np.array([2, 5, 6, 17])
    frames = known[name](video, indices, float(FPS)).astype(int)
    expected = read_video(video).frames.astype(int)
    assert frames.shape == (4, 240, 320, 3)
    for place, frame in zip(indices, frames, strict=True):
        # Roundings of colours differ from one decoder to the next; other frames are far away.
        distances = np.abs(expected - frame).mean((1, 2, 3))
        assert distances.argmin() == place


def test_a_decoder_that_is_absent_is_told_of_with_its_package(monkeypatch):
    monkeypatch.setattr(decoders, "is_installed", lambda package: False)
    told = []
    assert set(decoders.peers(told.append)) == {"PyAV, seek", "OpenCV, seek"}
    assert "decord, seek is left out: pip install decord2" in told


def test_a_decoder_that_does_not_load_is_told_of_with_the_reason(monkeypatch):
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
    # A constant weighs on the whole, and hardly on the end.
    line = Line("batch", "ms", {size: 10 + size for size in (1, 10, 100, 1000)})
    assert line.exponent < 0.8 < line.last < 1


def test_what_grows_faster_than_asked_for_is_marked():
    quadratic = {size: float(size**2) for size in (8, 16, 32)}
    assert Line("frames", "ms", quadratic).cells()[-1] == "above"
    assert Line("width", "ms", quadratic, asked=quadratic).cells()[-1] == ""


def test_a_product_takes_the_longer_of_computing_and_moving():
    chip = CHIPS["v5e"]
    dense = Product(macs=10**12, traffic=10**6, result=0, outputs=128, apart=False)
    assert dense.bound(chip) == pytest.approx(2e12 / 197e12)
    moving = Product(macs=1, traffic=819 * 10**9, result=0, outputs=128, apart=False)
    assert moving.bound(chip) == pytest.approx(1)
    # A quarter of the matrix unit is filled, thrice for a training step.
    narrow = Product(macs=10**12, traffic=10**6, result=0, outputs=32, apart=False)
    assert narrow.expected(chip) == pytest.approx(4 * 3 * dense.bound(chip))
    # The norm moves eight arrays of the result's size.
    normed = Product(macs=1, traffic=0, result=819 * 10**9, outputs=128, apart=False)
    assert normed.expected(chip) == pytest.approx(8, rel=1e-3)


def test_products_are_those_whose_demand_is_counted():
    model, shape = vidjax.create_model("ir_csn_50", width=8), (2, 4, 32, 32, 3)
    found = products(model, shape)
    demand = count_flops_and_bytes(model, shape)
    assert sum(each.macs for each in found) == demand.macs
    assert sum(each.traffic for each in found) == demand.traffic
    # A channel-separated network: one such convolution a block.
    assert sum(each.apart for each in found) == 3 + 4 + 6 + 3


def test_roofline_prints_a_row_a_chip():
    printed = call("roofline", "--models=r3d_18", "--nocount")
    for chip in ("v5e", "h100"):
        row = re.search(rf"r3d_18 +│ +{chip} │ +([\d.]+) │ +([\d.]+) │", printed)
        least, expected = map(float, row.groups())
        assert 0 < least <= expected
    macs = vidjax.count_cost(vidjax.create_model("r3d_18"), (16, 112, 112)).macs
    # Two operations each, three times for a step.
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


def test_growth_refuses_what_there_is_not():
    done = run_command("experiments.benchmark", "growth", "--axes=colour")
    assert "--axes=colour: must be one of batch, frames" in refusal(done)


@pytest.mark.slow
def test_memory_prints_a_row_a_case():
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
def test_a_long_run_of_the_pipeline_is_told_in_tenths():
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
    # 17 convolutions outside of shortcuts at least; results of less than 1 KiB are left out.
    assert int(count) >= 17
