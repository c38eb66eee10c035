"""Tests that a run that is killed and restarted ends like an uninterrupted one, bit for bit."""

import json
import os
import signal
import textwrap
import time

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from tests.commands import Process

PROGRAM = textwrap.dedent(
    """
    import sys
    import jax
    jax.config.update("jax_num_cpu_devices", int(sys.argv[2]))
    from pathlib import Path
    from configs import synthetic
    from vidjax.run.config import from_mapping
    from vidjax.training.loop import train
    from vidjax.training.preemption import EXIT_CODE
    config = synthetic.get_config()
    # The smallest network of the family: compiling is what these tests wait for.
    config.model.options = {"width": 4, "depths": (1, 0, 0, 0), "stem_kernel": (1, 3, 3)}
    config.model.options.dropout = 0.5
    config.data.options = {"num_classes": 3, "videos": 20, "frames": 6, "size": 20}
    config.data.threads = 1
    config.clip.update({"frames": 2, "stride": 1, "size": 16})
    config.eval.update({"size": 16, "batch_size": 8})
    config.optimizer.lr = 0.02
    config.train.update({"duration": "60 steps", "batch_size": 8, "ema": 0.9})
    config.every.update({"log": "3 steps", "checkpoint": "10 steps", "evaluate": "20 steps"})
    outcome = train(from_mapping(config), Path(sys.argv[1]))
    sys.exit(EXIT_CODE if outcome.preempted else 0)
    """
)


def start(workdir, devices):
    return Process("-c", PROGRAM, workdir, devices, text=False)


def wait_for_step(workdir, step, process):
    metrics = workdir / "metrics.jsonl"
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        lines = metrics.read_text().splitlines() if metrics.exists() else []
        if lines and lines[-1].endswith("}") and json.loads(lines[-1])["step"] >= step:
            return
        time.sleep(0.005)


def finish(process):
    _, errors = process.communicate(timeout=300)
    return process.returncode, errors.decode()[-2000:]


def arrays(workdir):
    """Returns the newest checkpoint's state as NumPy arrays, for any number of devices."""
    manager = ocp.CheckpointManager(
        workdir / "checkpoints", item_handlers={"state": ocp.StandardCheckpointHandler()}
    )
    step = manager.latest_step()
    like = jax.tree.map(lambda m: np.zeros(m.shape, m.dtype), manager.item_metadata(step)["state"])
    restored = manager.restore(step, args=ocp.args.Composite(state=ocp.args.StandardRestore(like)))
    manager.close()
    leaves = jax.tree_util.tree_leaves_with_path(restored.state)
    return step, {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


# Eight devices cover what one does.
@pytest.fixture(scope="module", params=[pytest.param(1, marks=pytest.mark.slow), 8])
def unbroken(request, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("unbroken") / "run"
    code, errors = finish(start(workdir, request.param))
    assert code == 0, errors
    return workdir, request.param


def test_a_killed_run_ends_in_the_same_arrays_and_lines(unbroken, tmp_path):
    expected, devices = unbroken
    workdir = tmp_path / "run"
    for step in (13, 33):
        process = start(workdir, devices)
        wait_for_step(workdir, step, process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    code, errors = finish(start(workdir, devices))
    assert code == 0, errors
    assert "resuming after step" in errors
    step, ours = arrays(workdir)
    assert (step, arrays(expected)[0]) == (60, 60)
    theirs = arrays(expected)[1]
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    ours, theirs = (folder.joinpath("metrics.jsonl").read_text() for folder in (workdir, expected))
    assert ours == theirs
    # There are log lines, epochs of 2.5 steps, and evaluations.
    assert len(theirs.splitlines()) == 20 + 24 + 3


def test_sigterm_saves_and_exits_with_its_own_code(tmp_path):
    workdir = tmp_path / "run"
    process = start(workdir, 1)
    wait_for_step(workdir, 3, process)
    process.send_signal(signal.SIGTERM)
    code, errors = finish(process)
    assert code == 75, errors
    saved = max(int(f) for f in os.listdir(workdir / "checkpoints") if f.isdecimal())
    assert 3 <= saved < 60
    code, errors = finish(start(workdir, 1))
    assert code == 0, errors
    assert f"resuming after step {saved} of 60" in errors
