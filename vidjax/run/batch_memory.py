"""Checks that the batches of a configuration fit into the machine's memory."""

from __future__ import annotations

import os

import jax

from vidjax.run.config import Config, ConfigError


def check_batch_memory(config: Config) -> None:
    """Refuses a batch size if one batch is larger than the memory of this machine.

    Raises:
      ConfigError: names the setting, the size of a batch and the memory.
    """
    memory = machine_memory()
    clip, channels = config.clip.frames, config.data.channels
    views = config.eval.crops * (config.eval.frames or clip) * channels * config.eval.size**2
    batches = {
        "train.batch_size": (config.train.batch_size, clip * channels * config.clip.size**2),
        "eval.batch_size": (config.eval.batch_size, views),
    }
    for name, (count, clip_bytes) in batches.items():
        needed = count * clip_bytes // jax.process_count()
        if memory and needed > memory:
            raise ConfigError(
                f"{name} = {count}: one batch of {clip_bytes / 2**20:.4g} MiB per clip takes "
                f"{needed / 2**30:.4g} GiB, but this machine has {memory / 2**30:.4g}; at most "
                f"{memory * jax.process_count() // clip_bytes} would fit"
            )


def machine_memory() -> int:
    """Returns the bytes of memory of this machine; 0 if the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
