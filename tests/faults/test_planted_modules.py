"""Tests that files cannot make vidjax import code: planted modules would leave a marker."""

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from jax import export

from experiments.reproduce.table import find_tables
from tests.commands import ROOT
from tests.faults.test_damaged_data_sets import request_of
from tests.videos import numbered_frames, write_video
from vidjax.convert import converted_folder as weights_folder
from vidjax.data import catalog
from vidjax.data.builders.cifar100 import CIFAR100
from vidjax.data.dataset_errors import DamagedError
from vidjax.data.dataset_info import CLASSES, UntrustedDataSetError
from vidjax.data.decoded_cache import DecodedCache
from vidjax.data.prepared import PreparedSplit
from vidjax.models.registry import create_model
from vidjax.run.checkpoint import CheckpointError, Checkpoints
from vidjax.run.config import from_mapping
from vidjax.trained.exporting import load

# The second is in a folder with TFDS's name, the third in TFDS's own folder of features.
NAMES = (
    "planted.Planted",
    "tensorflow_datasets.planted.Planted",
    "tensorflow_datasets.core.features.planted.Planted",
    "vidjax.planted.Planted",
    "Planted",
    "os.system",
    "tensorflow_datasets.core.features.image_feature.Image.planted",
)
_FEATURES = "tensorflow_datasets.core.features"


class Finder:
    """Records imports of planted names, whether the module exists or not."""

    def __init__(self):
        self.asked = []

    def find_spec(self, name, path=None, target=None):
        if name.rpartition(".")[2].lower() == "planted":
            self.asked.append(name)


@pytest.fixture(autouse=True)
def marker(tmp_path, monkeypatch):
    """Puts modules of all planted names on the path; nothing may import them."""
    place, marker = tmp_path / "planted", tmp_path / "marker"
    for module in ("planted.py", "tensorflow_datasets/planted.py", "vidjax/planted.py"):
        (place / module).parent.mkdir(parents=True, exist_ok=True)
        (place / module).write_text(f"open({str(marker)!r}, 'w').close()\nclass Planted: pass\n")
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(str(place))
    finder = Finder()
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    yield marker
    assert not marker.exists()
    assert finder.asked == []


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("planted")
    for label in ("sit", "walk"):
        for number in range(2):
            write_video(root / "videos" / label / f"{number}.mp4", numbered_frames(3))
    catalog.prepare("video_folder", request_of(root))
    return root


@pytest.fixture
def root(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def folder(root):
    (info,) = root.rglob("dataset_info.json")
    # The attacker has also updated the checksums.
    (info.parent / "sizes.json").unlink()
    return info.parent


def on_top(features, name):
    features["pythonClassName"] = name


def in_a_feature(features, name):
    features["featuresDict"]["features"]["group"]["pythonClassName"] = name


def in_a_new_feature(features, name):
    features["featuresDict"]["features"]["new"] = {"pythonClassName": name, "text": {}}


def in_a_sequence(features, name):
    sequence = features["featuresDict"]["features"]["frames"]["sequence"]
    sequence["feature"]["pythonClassName"] = name


def in_a_nested_dictionary(features, name):
    nested = {"new": {"pythonClassName": name, "text": {}}}
    features["featuresDict"]["features"]["new"] = {
        "pythonClassName": f"{_FEATURES}.features_dict.FeaturesDict",
        "featuresDict": {"features": nested},
    }


def as_protocol_buffers_spell_it(features, name):
    features["featuresDict"]["features"]["group"]["python_class_name"] = name


def in_a_content_of_json(features, name):
    content = json.dumps({"x": {"type": name, "content": {}}})
    features["featuresDict"]["features"]["new"] = {
        "pythonClassName": f"{_FEATURES}.features_dict.FeaturesDict",
        "jsonFeature": {"json": content},
    }


def in_the_form_of_earlier_years(features, name):
    features.update({"type": name, "content": {}})


PLACES = (
    on_top,
    in_a_feature,
    in_a_new_feature,
    in_a_sequence,
    in_a_nested_dictionary,
    as_protocol_buffers_spell_it,
    in_a_content_of_json,
    in_the_form_of_earlier_years,
)


def plant(folder, place, name):
    file = folder / "features.json"
    features = json.loads(file.read_text())
    place(features, name)
    file.write_text(json.dumps(features))


@pytest.mark.parametrize("place", PLACES)
def test_a_data_set_that_names_a_class_is_refused(root, folder, place):
    sound = (folder / "features.json").read_bytes()
    for name in NAMES:
        plant(folder, place, name)
        for open_it in (
            lambda: PreparedSplit(folder, "train"),
            lambda: catalog.prepare("video_folder", request_of(root)),
        ):
            with pytest.raises(ValueError, match=f"^{folder} is (refused|damaged)") as caught:
                open_it()
            assert "\n" not in str(caught.value)
        (folder / "features.json").write_bytes(sound)
    assert len(PreparedSplit(folder, "train"))


def test_tfds_itself_would_run_the_module(folder, marker):
    """This shows that the other tests can fail."""
    plant(folder, in_a_feature, "planted.Planted")
    code = f"import tensorflow_datasets as t; t.builder_from_directory({str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert marker.exists()
    marker.unlink()


def test_the_refusal_names_the_class(folder):
    plant(folder, in_a_feature, "planted.Planted")
    with pytest.raises(UntrustedDataSetError, match="'planted.Planted', which is not part of TFDS"):
        PreparedSplit(folder, "train")


def test_a_duplicate_key_is_refused(folder):
    file = folder / "features.json"
    twice = file.read_text().rstrip()[:-1] + ', "pythonClassName": "planted.Planted"}'
    file.write_text(twice)
    with pytest.raises(DamagedError, match="'pythonClassName' twice"):
        PreparedSplit(folder, "train")


def test_other_fields_that_name_code_have_no_effect(folder):
    file = folder / "dataset_info.json"
    info = json.loads(file.read_text())
    planted = {"pythonClassName": "planted.Planted", "text": {}}
    info.update(moduleName="planted", features=planted, citation="planted", redistributionInfo={})
    file.write_text(json.dumps(info))
    assert len(PreparedSplit(folder, "train")) == 2
    for field in ("name", "version", "fileFormat"):
        file.write_text(json.dumps(info | {field: "planted/../x"}))
        with pytest.raises(ValueError, match=f"^{folder} "):
            PreparedSplit(folder, "train")


def test_image_data_sets_that_name_a_class_are_refused(folder, tmp_path):
    there = tmp_path / "pictures/cifar100/3.0.2"
    shutil.copytree(folder, there)
    plant(there, on_top, "planted.Planted")
    with pytest.raises(UntrustedDataSetError, match=r"planted\.Planted"):
        CIFAR100.prepare(catalog.Request(tmp_path / "pictures"))


def test_the_list_of_tfds_classes_is_complete():
    code = (
        "import inspect, json\n"
        "from tensorflow_datasets.core import features\n"
        "of = features.FeatureConnector\n"
        "found = [c for c in vars(features).values() if inspect.isclass(c) and issubclass(c, of)]\n"
        "print(json.dumps([f'{c.__module__}.{c.__name__}' for c in found if c is not of]))\n"
    )
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(json.loads(run.stdout)) == CLASSES


def test_names_are_looked_up_not_imported(tmp_path):
    for name in ("planted", ".planted", "../planted", "vidjax.planted", "__init__", "os"):
        with pytest.raises(ValueError, match="is unknown"):
            catalog.prepare(name, catalog.Request(tmp_path))
        with pytest.raises(ValueError, match="is unknown"):
            catalog.describe(name)
        with pytest.raises(ValueError, match="is unknown"):
            create_model(name, num_classes=3)
        with pytest.raises(ValueError, match="is unknown"):
            find_tables([name])


@pytest.mark.parametrize("name", NAMES)
def test_weights_that_name_code_are_refused(tmp_path, name):
    with ocp.PyTreeCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "w/variables", {"params": {"x": np.ones(2)}})
    preprocessing = {"mean": [0, 0, 0], "std": [1, 1, 1], "clip": [4, 16, 16], "frame_stride": 1}
    facts = {"name": name, "options": {"gate": name}, "num_classes": 3, "source": name}
    (tmp_path / "w/model.json").write_text(json.dumps(facts | {"preprocessing": preprocessing}))
    found = weights_folder.read(tmp_path / "w")
    with pytest.raises(ValueError, match="is unknown"):
        create_model(found.name, num_classes=3)
    with pytest.raises(ValueError, match="gate|unknown"):
        create_model("r3d_18", num_classes=3, **found.options)


def replaced(value, name):
    """Replaces each text in a JSON value that names a type."""
    if isinstance(value, dict):
        return {key: replaced(one, name) for key, one in value.items()}
    if isinstance(value, list):
        return [replaced(one, name) for one in value]
    return name if isinstance(value, str) else value


@pytest.mark.parametrize("name", ["planted.Planted", "planted"])
def test_checkpoints_that_name_code_are_only_read(tmp_path, name):
    state = {"x": np.arange(4.0)}
    checkpoints = Checkpoints(tmp_path / "c", say=lambda _: None)
    checkpoints.save(1, state, {"run": 1})
    checkpoints.close()
    files = [file for file in (tmp_path / "c").rglob("*") if _is_json(file)]
    assert {"_CHECKPOINT_METADATA", "_METADATA", "checksums.json"} <= {f.name for f in files}
    (tmp_path / "c/1/checksums.json").unlink()
    for file in files:
        if file.name == "checksums.json":
            continue
        sound = file.read_text()
        file.write_text(json.dumps(replaced(json.loads(sound), name)))
        _restore(tmp_path / "c", state)
        file.write_text(sound)


def _is_json(file):
    try:
        return file.is_file() and isinstance(json.loads(file.read_bytes()), dict)
    except ValueError:
        return False


def _restore(directory, state):
    checkpoints = Checkpoints(directory, read_only=True, say=lambda _: None)
    with contextlib.closing(checkpoints), contextlib.suppress(CheckpointError):
        found, _ = checkpoints.restore(1, state)
        np.testing.assert_array_equal(found["x"], state["x"])


@pytest.mark.parametrize("declared", [True, False])
def test_an_exported_network_that_calls_into_the_process_is_refused(tmp_path, declared):
    """JAX itself would run it, and the process would end with a segmentation fault."""
    target = "xla_ffi_python_cpu_callback"
    stand_in = "q" * len(target)

    def network(clips):
        logits = jax.ShapeDtypeStruct((1, 2), np.float32)
        return jax.ffi.ffi_call(stand_in, logits)(clips, index=np.uint64(0))

    clips = jax.ShapeDtypeStruct((1, 2, 8, 8, 3), np.uint8)
    unchecked = [export.DisabledSafetyCheck.custom_call(stand_in)]
    exported = export.export(jax.jit(network), platforms=["cpu"], disabled_checks=unchecked)(clips)
    if not declared:
        exported = dataclasses.replace(exported, disabled_safety_checks=())
    content = bytes(exported.serialize()).replace(stand_in.encode(), target.encode())
    (tmp_path / "network.stablehlo").write_bytes(content)
    facts = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    card = {"format": "stablehlo", "input": {"shape": [None, 2, 8, 8, 3]}, "output": {"x": 1}}
    card["files"] = {"network.stablehlo": facts}
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match=f"network.stablehlo is refused: it calls '{target}'"):
        load.load(tmp_path)


class Pickled:
    """An object that runs a program when it is unpickled."""

    def __init__(self, program):
        self.program = program

    def __reduce__(self):
        return os.system, (self.program,)


def test_a_cached_video_that_is_a_pickle_is_decoded_again(tmp_path, marker):
    cache = DecodedCache(tmp_path / "cache")
    cache.save("v.mp4", [b"x"], 1.0)
    (file,) = cache.folder.glob("*/*.npz")
    archive = io.BytesIO()
    evil = np.array([Pickled(f"touch {marker}")], object)
    np.savez(archive, data=evil, sizes=evil, fps=evil)
    file.write_bytes(archive.getvalue() + hashlib.sha256(archive.getvalue()).digest())
    assert cache.load("v.mp4") is None


@pytest.mark.parametrize("value", ["planted.Planted", "__import__('planted')", "@planted", "!!x"])
def test_settings_are_not_evaluated_as_code(tiny_config, value):
    plain = dataclasses.asdict(tiny_config)
    plain["model"] = {**plain["model"], "name": value, "options": {"gate": value}}
    config = from_mapping(plain)
    assert (config.model.name, config.model.options) == (value, {"gate": value})
    with pytest.raises(ValueError, match="is unknown"):
        create_model(config.model.name, num_classes=2)
    with pytest.raises(ValueError, match="gate"):
        create_model("r3d_18", num_classes=2, **config.model.options)


@pytest.mark.slow
def test_a_run_from_elsewhere_runs_no_code(whole, tmp_path, marker):
    """Its configuration names a data set, which names a module in the current folder."""
    data, run = tmp_path / "planted/data", tmp_path / "planted/run"
    shutil.copytree(whole / "data", data)
    settings = [
        "--config=configs/folder.py",
        f"--config.data.manifest={whole / 'videos'}",
        f"--config.data.data_dir={data}",
        f"--workdir={run}",
        *("--config.data.short_side=48", "--config.data.bad_video_budget=0.5"),
        *("--config.clip.frames=2", "--config.clip.size=16", "--config.eval.size=16"),
        *("--config.eval.crops=1", "--config.eval.batch_size=2", "--config.train.batch_size=2"),
        *("--config.train.duration=2 steps", "--config.model.options.width=4"),
    ]
    command("train", settings, cwd=ROOT, check=True)
    for info in data.rglob("dataset_info.json"):
        plant(info.parent, in_a_feature, "planted.Planted")
        (info.parent / "sizes.json").unlink()
    ended = command("evaluate", [f"--workdir={run}"], cwd=tmp_path / "planted", check=False)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith("error: ")
    assert "planted.Planted" in ended.stderr


def command(name, arguments, cwd, check):
    return subprocess.run(
        [sys.executable, "-m", f"experiments.{name}", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=check,
    )
