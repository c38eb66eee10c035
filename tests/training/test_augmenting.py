"""Tests that augmentation on the device equals augmentation on the host, on 1 and on 8 devices."""

import json
import textwrap

import flax.linen as nn
import jax
import numpy as np
import optax
import pytest

from tests.commands import run_code
from vidjax.data.pipeline import Augmentation, ClipShape, train_batches
from vidjax.data.synthetic import SyntheticSplit
from vidjax.run.setting_groups import MeshConfig
from vidjax.run.sharding import make_mesh
from vidjax.run.state import init_state
from vidjax.training.step import Step

PROGRAM = textwrap.dedent(
    """
    import json, re, sys
    from pathlib import Path
    import jax
    jax.config.update("jax_num_cpu_devices", 8)
    import numpy as np
    from configs import synthetic
    from vidjax.data.thesis_augmentation.parameters import Chain, Draw
    from vidjax.data.thesis_augmentation.device import apply_on_device
    from vidjax.data.thesis_augmentation.host import apply_on_host
    from vidjax.run import sharding
    from vidjax.run.config import from_mapping
    from vidjax.run.setting_groups import MeshConfig
    from vidjax.training.loop import train

    rng, chain = np.random.default_rng(0), Chain(0.9, 0.5)
    clips = rng.integers(0, 256, (16, 2, 21, 21, 3), dtype=np.uint8)
    draws = [chain.draw(rng, 21)._replace(flip=np.bool_(k % 2)) for k in range(16)]
    host = np.stack([apply_on_host(clip, draw) for clip, draw in zip(clips, draws)])
    batch = Draw(*map(np.stack, zip(*draws)))._asdict() | {"clip": clips}
    batch = sharding.to_devices(batch, sharding.make_mesh(MeshConfig(2, 4)))
    given = batch["clip"], Draw(*(batch[name] for name in Draw._fields))
    compiled = jax.jit(apply_on_device).lower(*given).compile()
    done = compiled(*given)
    print(json.dumps({
        "difference": int(np.abs(np.asarray(done).astype(int) - host).max()),
        "changed": int((host != clips).any(axis=(1, 2, 3, 4)).sum()),
        "messages": re.findall("all-gather|all-reduce|all-to-all|permute", compiled.as_text()),
        "rows": done.addressable_shards[0].data.shape[0],
    }))

    config = synthetic.get_config()
    config.model.options = {"width": 4, "depths": (1, 0, 0, 0), "stem_kernel": (1, 3, 3)}
    config.data.options = {"num_classes": 3, "videos": 20, "frames": 6, "size": 20}
    config.clip.update({"frames": 2, "stride": 1, "size": 16})
    config.eval.update({"size": 16, "batch_size": 8})
    config.train.update({"duration": "4 steps", "batch_size": 16, "accumulate": 2})
    config.every.update({"log": "1 steps", "checkpoint": "4 steps", "evaluate": "4 steps"})
    config.augment.update({"crop": "fixed", "chain": 0.9})
    for name, device in (("host", False), ("device", True)):
        config.augment.device = device
        train(from_mapping(config), Path(sys.argv[1]) / name)
    """
)


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("eight")
    done = run_code(PROGRAM, folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, json.loads(done.stdout.splitlines()[0])


def test_eight_devices_augment_their_clips_like_the_host(eight):
    _, found = eight
    assert found["difference"] == 0
    assert found["changed"] > 12
    assert (found["rows"], found["messages"]) == (2, [])


def test_a_run_augmenting_on_eight_devices_equals_one_on_the_host(eight):
    folder, _ = eight
    lines = [
        [json.loads(line) for line in (folder / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("host", "device")
    ]
    # Four steps, three epochs of one and a quarter steps, and an evaluation.
    assert len(lines[0]) == 4 + 3 + 1
    for host, device in zip(*lines, strict=True):
        assert host.pop("split") == device.pop("split")
        assert device == pytest.approx(host, rel=1e-5)


class Small(nn.Module):
    num_classes: int = 4

    @nn.compact
    def __call__(self, x, *, train):
        return nn.Dense(4)(nn.tanh(nn.Dense(6)(x)).mean((1, 2, 3)))


@pytest.mark.parametrize("fields", [{}, {"accumulate": 2}, {"mix": 1.0}])
def test_a_step_that_augments_equals_a_step_on_augmented_clips(fields):
    source = SyntheticSplit(num_classes=4, videos=8, frames=4, size=24)
    shape, optimizer = ClipShape(frames=2, stride=1, size=20), optax.sgd(0.1)
    mesh = make_mesh(MeshConfig(-1, 1))
    results = []
    for device in (False, True):
        state, _ = init_state(Small(), optimizer, (1, 2, 20, 20, 3), seed=0, ema=False, mesh=mesh)
        augmentation = Augmentation(crop="fixed", chain=1.0, device=device)
        batch = train_batches(source, shape, augmentation, batch_size=8, seed=3)[0]
        step = Step(Small(), optimizer, (0.4,) * 3, (0.2,) * 3, augments=device, **fields)
        state, metrics = jax.jit(step)(state, batch)
        results.append((state.params, metrics["loss"], metrics["grad_norm"]))
    for one, two in zip(*map(jax.tree.leaves, results), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
