"""Tests exported networks: files that other programs load, the card, and the streaming report."""

import collections
import dataclasses
import json
import re
import shutil
import subprocess
import sys
import textwrap

import flax.linen as nn
import jax
import numpy as np
import optax
import pytest
from jax import export as jax_export
from scipy import special

from configs import synthetic
from tests import references
from tests.commands import run_command
from tests.convert.test_loading import norm
from vidjax.convert import converted_folder
from vidjax.convert.loading import convert
from vidjax.run.checkpoint import Checkpoints
from vidjax.run.config import from_mapping
from vidjax.run.network import Network
from vidjax.run.workdir import claim
from vidjax.trained.exporting import export as exporting
from vidjax.trained.exporting import load
from vidjax.trained.exporting.export_request import ExportRequest
from vidjax.trained.exporting.program import program_of
from vidjax.trained.exporting.streaming import frames_kept
from vidjax.trained.open_weights import open_weights
from vidjax.trained.sources.run import open_run
from vidjax.trained.trained_network import Weights

CLASSES = ("sit", "stand", "walk")
# A user's program that has neither vidjax nor Flax.
WITH_JAX = """
    import jax.export
    blob = bytearray(open(f"{folder}/network.stablehlo", "rb").read())
    network = jax.export.deserialize(blob).call
    sys.argv = ["load.py", f"{place}/clip.npy"]
    runpy.run_path(f"{folder}/load.py", run_name="__main__")
"""
WITH_TENSORFLOW = """
    import tensorflow as tf
    model = tf.saved_model.load(folder)
    network = lambda clips: model.signatures["serving_default"](clips=tf.constant(clips))["logits"]
"""
PROGRAM = """
    import runpy, sys
    import numpy as np
    folder, place = sys.argv[1:]
{load}
    clips = np.load(f"{{place}}/clips.npy")
    np.save(f"{{place}}/one.npy", np.asarray(network(clips[:1])))
    np.save(f"{{place}}/three.npy", np.asarray(network(clips)))
    assert not {{"vidjax", "flax"}} & set(sys.modules)
"""


def noisy(path, array):
    """Makes weights and statistics like those of a trained network, none of them 0 or 1."""
    noise = np.random.default_rng(len(str(path))).standard_normal(array.shape)
    moved = np.exp(0.3 * noise) if path[-1].key in ("scale", "var") else array + 0.1 * noise
    return jax.device_put(np.asarray(moved, np.float32), array.sharding)


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """Makes a run with a checkpoint at step 7."""
    config = synthetic.get_config()
    config.model.options = {"width": 4, "depths": (1, 0, 0, 0), "stem_kernel": (1, 3, 3)}
    config.model.mean, config.model.std = (0.3, 0.4, 0.5), (0.2, 0.25, 0.3)
    config.data.fps = 12.5
    config.clip.update({"frames": 4, "stride": 3, "size": 20})
    config.eval.update({"size": 24, "short_side": 28, "crops": 3})
    config = from_mapping(config)
    workdir = tmp_path_factory.mktemp("runs") / "mine"
    claim(workdir, config, CLASSES)
    network = Network.of(config, CLASSES)
    state, _ = network.init(network.optimizer(optax.constant_schedule(0.0)))
    trees = {"params": state.params, "batch_stats": state.batch_stats}
    state = state.replace(**jax.tree_util.tree_map_with_path(noisy, trees))
    checkpoints = Checkpoints(workdir / "checkpoints")
    checkpoints.save(7, state, {})
    checkpoints.close()
    return workdir


@pytest.fixture(scope="module")
def own(workdir):
    return ExportRequest.of(open_run(workdir, checkpoint="7"))


@pytest.fixture(scope="module")
def clips():
    return np.random.default_rng(1).integers(0, 256, (3, 4, 24, 24, 3), dtype=np.uint8)


def own_logits(own, clips):
    """Computes the module's logits, with colours normalised by the equation."""
    model, seen = own.trained.model, own.preprocessing
    normal = (clips / 255 - np.asarray(seen.mean)) / np.asarray(seen.std)
    apply = jax.jit(lambda variables, clip: model.apply(variables, clip, train=False))
    return np.asarray(apply(own.trained.variables, normal.astype(np.float32)))


@pytest.fixture(scope="module")
def expected(own, clips):
    logits = own_logits(own, clips)
    assert np.ptp(logits, axis=0).min() > 1e-3
    return logits


def export(*arguments):
    return run_command("experiments.export", *arguments)


@pytest.fixture(scope="module", params=["stablehlo", "saved_model"])
def exported(request, workdir, tmp_path_factory):
    """Exports the network; returns the folder and the command's output."""
    output = tmp_path_factory.mktemp("exported") / request.param
    done = export(f"--workdir={workdir}", f"--format={request.param}", f"--output={output}")
    assert done.returncode == 0, done.stderr
    return output, done


def test_a_program_without_vidjax_computes_the_networks_logits(exported, clips, expected, tmp_path):
    output, _ = exported
    np.save(tmp_path / "clips.npy", clips)
    np.save(tmp_path / "clip.npy", clips[0])
    steps = WITH_JAX if output.name == "stablehlo" else WITH_TENSORFLOW
    program = textwrap.dedent(PROGRAM.format(load=steps.strip("\n")))
    command = [sys.executable, "-c", program, str(output), str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "one.npy"), expected[:1], atol=1e-5)
    np.testing.assert_allclose(np.load(tmp_path / "three.npy"), expected, atol=1e-5)
    if steps == WITH_JAX:
        likeliest = CLASSES[int(np.argmax(expected[0]))]
        assert done.stdout.splitlines()[0].endswith(f"%  {likeliest}")


def test_the_card_describes_the_input(exported):
    output, _ = exported
    card = json.loads((output / "card.json").read_text())
    assert card["classes"] == list(CLASSES)
    assert card["input"]["shape"] == ["batch", 4, 24, 24, 3]
    assert card["input"]["dtype"] == "uint8"
    assert card["output"]["shape"] == ["batch", 3]
    assert card["frames"] == {"stride": 3, "sampling": "dense", "fps": 12.5, "short_side": 28}
    assert card["normalisation"]["mean"] == [0.3, 0.4, 0.5]
    assert (card["model"]["name"], card["step"]) == ("r3d_18", 7)
    assert card["versions"]["jax"] == jax.__version__
    load.check(output, card)


def test_the_report_has_the_cost_of_a_stream(exported, own):
    output, done = exported
    report = json.loads((output / "streaming.json").read_text())
    card = json.loads((output / "card.json").read_text())
    held = sum((output / name).stat().st_size for name in card["files"])
    arrays = jax.tree.leaves(own.trained.variables["params"])
    assert report["artifact_bytes"] == held
    assert report["float32_bytes"] == sum(array.nbytes for array in arrays)
    assert report["bfloat16_bytes"] * 2 == report["float32_bytes"]
    assert report["artifact_bytes"] > report["float32_bytes"]
    # The activations include the clip itself in float32.
    assert report["working_bytes"] >= 4 * 24 * 24 * 3 * 4
    assert report["clip_seconds"] == pytest.approx(4 * 3 / 12.5)
    first, *_, last = report["windows"]
    assert (first["every"], last["every"]) == (12, 3)
    for window in report["windows"]:
        assert window["clips_per_second"] == pytest.approx(12.5 / window["every"])
        macs = report["macs_per_clip"] * 12.5 / window["every"]
        assert window["macs_per_second"] == pytest.approx(macs)
        assert window["buffer_bytes"] == window["buffer_frames"] * 24 * 24 * 3
    assert len((output / "streaming.csv").read_text().splitlines()) == len(report["windows"]) + 1
    assert f"parameters          {report['params']:,}" in done.stdout
    assert "tested: the exported network's logits differ by at most" in done.stdout


def test_existing_files_are_not_overwritten(exported, workdir):
    output, _ = exported
    before = {file: file.stat().st_mtime_ns for file in output.rglob("*")}
    done = export(f"--workdir={workdir}", "--format=stablehlo", f"--output={output}")
    assert done.returncode == 2
    assert done.stderr == f"error: {output} is not empty; name another --output\n"
    assert {file: file.stat().st_mtime_ns for file in output.rglob("*")} == before


def test_damaged_files_are_refused(exported, tmp_path):
    output, _ = exported
    copy = shutil.copytree(output, tmp_path / "copy")
    card = json.loads((copy / "card.json").read_text())
    name = max(card["files"], key=lambda name: card["files"][name]["bytes"])
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} is damaged"):
        load.load(copy)
    (copy / name).unlink()
    with pytest.raises(ValueError, match=f"{name} is absent"):
        load.load(copy)


def test_the_program_for_accelerators_computes_the_same(own, clips, expected):
    unchecked = [jax_export.DisabledSafetyCheck.platform()]
    lowered = jax_export.export(
        jax.jit(program_of(own)), platforms=["cuda"], disabled_checks=unchecked
    )(own.trained.variables, clips)
    # The backend's own 3D convolutions, which our CPU algorithms do not use.
    assert "dim_numbers = [b, 0, 1, 2, f]x" in lowered.mlir_module()
    logits = np.asarray(lowered.call(own.trained.variables, clips))
    np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_an_export_that_computes_something_else_is_removed(own, tmp_path, monkeypatch):
    monkeypatch.setattr(load, "load", lambda folder: (lambda clips: np.full((2, 3), 9.0), {}))
    with pytest.raises(ValueError, match="differ by .* from the network's own.*nothing was"):
        exporting.export(own, "stablehlo", tmp_path / "out", platforms=["cpu"])
    assert not list(tmp_path.iterdir())


def test_without_tensorflow_a_saved_model_is_refused(own, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ValueError, match="saved_model needs TensorFlow .*--format=stablehlo"):
        exporting.export(own, "saved_model", tmp_path / "out")
    assert not list(tmp_path.iterdir())


class Precise(nn.Module):
    """An operation that StableHLO has since version 1.10."""

    @nn.compact
    def __call__(self, clips, train):
        return jax.lax.exp(clips.mean((1, 2, 3)), accuracy=jax.lax.AccuracyMode.HIGHEST)


def test_operations_that_tensorflow_cannot_read_are_refused_in_one_line(own, tmp_path):
    newer = dataclasses.replace(own.trained, model=Precise(), read=lambda: Weights({}))
    with pytest.raises(ValueError, match=r"saved_model uses StableHLO 1\..*--format=stablehlo$"):
        exporting.export(ExportRequest.of(newer), "saved_model", tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_converted_weights_are_exported_without_a_run(tmp_path):
    keys = {"conv1.weight": (4, 3, 7, 7, 7)} | norm("bn1", 4)
    keys |= {"layer1.0.conv1.weight": (4, 4, 3, 3, 3), "layer1.0.conv2.weight": (4, 4, 3, 3, 3)}
    keys |= norm("layer1.0.bn1", 4) | norm("layer1.0.bn2", 4)
    keys |= {"fc.weight": (9, 4), "fc.bias": (9,)}
    state = references.state_dict(keys, 1.0)
    converted = convert("r3d_18", state, width=4, depths=(1, 0, 0, 0))
    converted_folder.write(converted, "r3d_18", tmp_path / "weights", source="made up")
    given = (f"--weights={tmp_path / 'weights'}", "--format=stablehlo", "--platform=cpu")
    done = export(*given, f"--output={tmp_path / 'out'}", "--clip=2,16,24", "--fps=10")
    assert done.returncode == 0, done.stderr
    network, card = load.load(tmp_path / "out")
    assert (card["classes"], card["source"], card["platforms"]) == (None, "made up", ["cpu"])
    clips = np.random.default_rng(0).integers(0, 256, (2, 2, 16, 24, 3), dtype=np.uint8)
    own = ExportRequest.of(open_weights(str(tmp_path / "weights")), (2, 16, 24))
    np.testing.assert_allclose(network(clips), own_logits(own, clips), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--workdir=RUN", "--format=onnx"], "one of <stablehlo|saved_model>; see --help"),
        (["--workdir=RUN/none", "--format=stablehlo"], "config.json is absent. Train first"),
        (["--format=stablehlo"], "name a run with --workdir, or weights with --weights"),
        (
            ["--weights=w", "--format=stablehlo", "--clip=16,x"],
            "--clip=16,x: must be FRAMES,HEIGHT,WIDTH",
        ),
    ],
)
def test_invalid_values_are_refused_in_one_line(workdir, tmp_path, arguments, error):
    given = [argument.replace("RUN", str(workdir)) for argument in arguments]
    done = export(*given, f"--output={tmp_path / 'out'}")
    assert done.returncode == 2
    assert error in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("frames", "stride"), [(4, 2), (3, 5), (1, 4), (8, 1)])
@pytest.mark.parametrize("every", [1, 2, 3, 4, 7, 10, 40])
def test_the_buffer_size_is_the_smallest_that_suffices(frames, stride, every):
    clips = [range(start, start + frames * stride, stride) for start in range(0, 200, every)]
    ending = {clip[-1]: set(clip) for clip in clips}
    stream = sorted({frame for clip in clips for frame in clip if frame < clips[-1][0]})

    def serves(size):
        buffer = collections.deque(maxlen=size)
        for frame in stream:
            buffer.append(frame)
            if not ending.get(frame, set()) <= set(buffer):
                return False
        return True

    kept = frames_kept(frames, stride, every)
    assert serves(kept)
    assert not serves(kept - 1)


@pytest.mark.parametrize(
    "clips",
    [
        np.zeros((4, 24, 24, 3), np.uint8),
        np.zeros((2, 4, 24, 20, 3), np.uint8),
        np.zeros((2, 4, 24, 24, 3), np.float32),
    ],
)
def test_clips_of_another_shape_or_type_are_named_with_what_is_expected(clips):
    network = load.checked(lambda clips: clips, ["batch", 4, 24, 24, 3])
    given = f"clips are {clips.dtype} {list(clips.shape)}, but"
    with pytest.raises(ValueError, match=re.escape(given) + r".* takes uint8 \[B, 4, 24, 24, 3\]"):
        network(clips)
    assert network(np.zeros((3, 4, 24, 24, 3), np.uint8)).shape == (3, 4, 24, 24, 3)


def test_a_loaded_networks_classes_are_text():
    """`load.py` imports nothing of vidjax, so it escapes names itself."""
    assert load._shown("\x1b]0;title\x07\u202ewalk\n") == r"\x1b]0;title\x07\u202ewalk\n"
    assert load._shown("d\u00e9j\u00e0 vu") == "d\u00e9j\u00e0 vu"


@pytest.mark.parametrize("scale", ["softmax", "sigmoid"])
def test_probabilities_are_those_that_the_card_names(scale):
    logits = np.array([[1.0, -2.0, 0.5], [500.0, -500.0, 0.0]])
    found = load.probabilities(logits, {"output": {"probabilities": scale}})
    expected = special.softmax(logits, axis=1) if scale == "softmax" else special.expit(logits)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
