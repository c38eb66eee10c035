"""Checks what the diffs of CONTRIBUTING.md add, in a tree to which they were applied.

    python tests/additions.py FOLDER

runs all checks and prints a JSON object: the error under each heading, empty if there was none.
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

SMALL = {"num_classes": 3, "width": 4, "depths": (0, 1, 0, 0)}


def method(folder: Path) -> None:
    """Checks that whole channels are dropped in training, and that the others get gradients."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    import vidjax
    from vidjax.layers.lowering import force_lowering
    from vidjax.methods.channel_drop import ChannelDrop

    x = jax.random.normal(jax.random.key(0), (3, 2, 3, 3, 8)) + 5
    dropped = ChannelDrop(0.5).apply({}, x, train=True, rngs={"noise": jax.random.key(1)})
    share = np.asarray(dropped / x)
    np.testing.assert_array_equal(share.std(axis=(1, 2, 3)), 0)
    assert set(np.unique(share.round(5))) == {0, 2}
    model = vidjax.create_model("r3d_18", channel_drop={"rate": 0.5}, **SMALL)
    plain = vidjax.create_model("r3d_18", **SMALL)

    @jax.jit
    def run(clip):
        variables = model.init(jax.random.key(0), clip, train=False)

        def loss(params):
            rngs = {"noise": jax.random.key(2)}
            given = {**variables, "params": params}
            out, _ = model.apply(given, clip, train=True, mutable=["batch_stats"], rngs=rngs)
            return jnp.sum(out * jnp.arange(3))

        logits = [one.apply(variables, clip, train=False) for one in (model, plain)]
        return *logits, jax.grad(loss)(variables["params"])

    with force_lowering("lax"):
        evaluated, without, gradients = run(jax.random.normal(jax.random.key(3), (2, 2, 16, 16, 3)))
    np.testing.assert_array_equal(evaluated, without)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))
    assert jnp.abs(gradients["layer2"]["block1"]["conv1"]["kernel"]).max() > 0
    _refused(lambda: vidjax.create_model("r3d_18", channel_drop={"rate": 1}), "rate = 1")
    _refused(lambda: vidjax.create_model("r3d_18", chanel_drop={}), "did you mean 'channel_drop'")


def network(folder: Path) -> None:
    """Checks that the network is listed, returns logits, fits its card and accepts methods."""
    import jax
    import jax.numpy as jnp

    import vidjax

    assert vidjax.list_models("r3d_10") == ["r3d_10"]
    card = vidjax.model_card("r3d_10")
    cost = vidjax.count_cost(vidjax.create_model("r3d_10", num_classes=400), card.clip)
    assert (cost.params, cost.macs) == (card.params, card.macs)
    assert vidjax.options("r3d_10")["stem_kernel"].default == (3, 7, 7)
    small = {"num_classes": 3, "width": 4, "stem_kernel": (1, 3, 3)}
    model = vidjax.create_model("r3d_10", class_reg={}, **small)

    def run(clip):
        variables = model.init(jax.random.key(0), clip, train=False)
        return model.apply(variables, clip, train=False), variables["params"]

    logits, params = jax.eval_shape(run, jnp.ones((2, 4, 16, 16, 3)))
    assert logits.shape == (2, 3)
    assert params["stem_layer"]["conv"]["kernel"].shape == (1, 3, 3, 3, 4)
    _refused(lambda: vidjax.create_model("r3d_10", stem_kernel=3), "stem_kernel = 3")


def data_set(folder: Path) -> None:
    """Checks that two splits are prepared, and that a wrong file name is answered by the format."""
    from videos import numbered_frames, write_video

    from vidjax.data import catalog
    from vidjax.data.prepared import PreparedSplit

    for name in ("walking/person11_walking_d1_uncomp", "boxing/person02_boxing_d3_uncomp"):
        write_video(folder / f"{name}.avi", numbered_frames(3))
    told: list[str] = []
    request = catalog.Request(folder / "data", manual_dir=str(folder), workers=1, note=told.append)
    prepared = catalog.prepare("kth", request)
    splits = {split: PreparedSplit(prepared, split) for split in ("train", "test")}
    assert [len(split) for split in splits.values()] == [1, 1]
    assert splits["train"].classes == ("boxing", "walking")
    assert "1 of 191 train videos listed" in told[0]
    assert "person13_handclapping_d3" in catalog.describe("kth")
    write_video(folder / "walking/me.avi", numbered_frames(3))
    _refused(lambda: catalog.prepare("kth", request), "expected a name such as person01")


def augmentation(folder: Path) -> None:
    """Checks how often clips become grey, that all frames do, and that settings are checked."""
    import numpy as np

    from vidjax.data.pipeline import Augmentation

    frames = np.random.default_rng(0).integers(0, 256, (3, 20, 20, 3), np.uint8)

    def clips(**settings: float) -> list[np.ndarray]:
        chosen = Augmentation(also={"greyscale": settings})
        return [chosen(np.random.default_rng(seed), frames, 16)["clip"] for seed in range(100)]

    grey = [(clip == clip[..., :1]).all() for clip in clips()]
    assert 5 < sum(grey) < 40
    coloured = [Augmentation()(np.random.default_rng(seed), frames, 16) for seed in range(100)]
    for clip, plain in zip(clips(chance=1.0), coloured, strict=True):
        luma = plain["clip"] @ np.array([0.299, 0.587, 0.114])
        assert np.abs(clip - luma[..., None]).max() <= 0.5 + 1e-9
    _refused(
        lambda: Augmentation(also={"greyscale": {"chance": 2}}),
        "augment.also.greyscale.chance = 2: must be a number in [0, 1]",
    )


def writer(folder: Path) -> None:
    """Checks that only evaluations are written, at every start of the run."""
    import dataclasses

    from vidjax.run.config import from_mapping
    from vidjax.run.defaults import defaults
    from vidjax.training.open_writers import OpenWriters, check_writers

    config = dataclasses.replace(from_mapping(defaults()), writers=("scores",))
    check_writers(config.writers)
    told: list[str] = []
    for step in (0, 10):
        opened = OpenWriters(config, folder, step, told.append)
        opened.write(step + 10, "train", {"loss": 0.5})
        opened.write(step + 10, "timing/train", {"seconds": 2.0})
        opened.write(step + 10, "test-1x1", {"top1": 0.25, "videos": 8})
        opened.close()
    lines = (folder / "scores.txt").read_text().splitlines()
    assert lines == [f"step {step}, test-1x1: top1 0.25, videos 8" for step in (10, 20)]
    assert not told
    _refused(lambda: check_writers(("score",)), "did you mean 'scores'")


def explaining_map(folder: Path) -> None:
    """Checks that the map is found by name, and is exact for a linear network."""
    import jax.numpy as jnp
    import numpy as np

    from vidjax.explain import maps, saliency_map

    rng = np.random.default_rng(0)
    weights = {"mixing": rng.normal(size=(3, 4)), "head": rng.normal(size=(4, 2))}
    clip = rng.normal(size=(1, 2, 5, 6, 3)).astype(np.float32)

    def linear(weights: dict[str, jnp.ndarray], clip: jnp.ndarray) -> jnp.ndarray:
        return (clip @ weights["mixing"]).mean((1, 2, 3)) @ weights["head"]

    found, plain = (
        saliency_map(linear, weights, clip, 1, "gradient_times_input", signed=signed)
        for signed in (True, False)
    )
    expected = clip[0] @ weights["mixing"] @ weights["head"][:, 1] / 60
    np.testing.assert_allclose(found.cells[0], expected, atol=1e-6)
    np.testing.assert_allclose(plain.cells[0], np.abs(expected), atol=1e-6)
    assert list(maps.known())[-1] == "gradient_times_input"
    meaning = maps.known()["gradient_times_input"].settings["signed"].meaning
    assert meaning.startswith("whether values against the class stay negative")
    _refused(
        lambda: saliency_map(linear, weights, clip, 1, "gradient_times_inputs"),
        "did you mean 'gradient_times_input'",
    )


def _refused(call: Callable[[], object], text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)) as caught:
        call()
    assert "\n" not in str(caught.value)


# From a heading in CONTRIBUTING.md to the check of its diff.
CHECKS = {
    "Add a method": method,
    "Add a network": network,
    "Add a data set": data_set,
    "Add an augmentation": augmentation,
    "Add a writer": writer,
    "Add a map": explaining_map,
}


def main() -> None:
    """Runs each check in its own folder."""
    found = {}
    for number, (heading, check) in enumerate(CHECKS.items()):
        folder = Path(sys.argv[1]) / str(number)
        folder.mkdir()
        try:
            check(folder)
        except Exception:
            found[heading] = traceback.format_exc()
        else:
            found[heading] = ""
    print(json.dumps(found))


if __name__ == "__main__":
    main()
