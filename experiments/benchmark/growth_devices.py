"""Compiles a training step for simulated devices, with the same number of clips on each.

`python -m experiments.benchmark.growth_devices DEVICES` compiles the step and prints its compile
time, memory and traffic. It is a separate process because JAX creates its devices only once.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

from absl import logging

from vidjax import records
from vidjax.evaluation.collectives import collectives
from vidjax.terminal import say

from .compiled_step import compile_step, devices, network_on, step_config

_CLIPS, _FRAMES, _SIDE, _WIDTH, _CLASSES = 2, 4, 32, 8, 10


def measure(count: int) -> dict[str, float]:
    """Returns `compile` seconds, and `memory` and `sent` bytes per device, on `count` devices.

    Raises:
      RuntimeError: the process that compiles the step failed.
    """
    command = [sys.executable, "-m", __spec__.name, str(count)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{count} devices: {done.stderr.strip()}")
    return records.parsed(done.stdout.splitlines()[-1], dict[str, float])


def main(count: int) -> None:
    """Compiles the step and prints the numbers."""
    logging.set_verbosity(logging.ERROR)
    config = step_config(
        "r3d_18",
        (_FRAMES, _SIDE, _SIDE),
        {"data": count, "fsdp": 1},
        batch=_CLIPS * count,
        dtype="float32",
        width=_WIDTH,
        train={"batch_norm": "global"},
    )
    network = network_on(devices(count), config, _CLASSES)
    start = time.perf_counter()
    program = compile_step(network, quickly=True)
    seconds = time.perf_counter() - start
    sizes = program.memory_analysis()
    sent = sum(one.sent * one.times for one in collectives(program.as_text() or ""))
    memory = sizes.argument_size_in_bytes + sizes.temp_size_in_bytes
    say(json.dumps({"compile": seconds, "memory": memory, "sent": sent}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
