"""Keeps compiled programs on disk, so that a restarted run does not compile again."""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path
from typing import Any

import jax

from vidjax.storage.paths import as_path, is_url

_XLA_CACHES = "JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES"
_MIN_SECONDS = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"
# First weights are drawn by dozens of programs that take 0.05 s each. Reading one takes a few ms.
_WORTH_KEEPING = 0.02


def enable() -> None:
    """Caches programs that take 20 ms or more to compile in `~/.cache/vidjax/compiled`.

    JAX's own settings take precedence: `JAX_COMPILATION_CACHE_DIR` names another folder or a
    bucket, `JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS` another limit, and
    `JAX_ENABLE_COMPILATION_CACHE=false` turns the cache off. In a bucket JAX's own limit of one
    second holds: each program there is a request. Process 0 of a job writes; the others read.

    Raises:
      UrlError: the bucket cannot be used. JAX itself would compile everything without a warning.
    """
    config: Any = jax.config  # some versions of JAX have no types for its settings
    chosen = config.jax_compilation_cache_dir
    if chosen is None:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = home / "vidjax" / "compiled" / _processor()
        config.update("jax_compilation_cache_dir", str(folder))
    elif is_url(chosen) and config.jax_enable_compilation_cache:
        as_path(chosen)
        # XLA would store its GPU autotuning results beside it, and cannot write to buckets.
        if _XLA_CACHES not in os.environ:
            config.update(_XLA_CACHES.lower(), "none")
    if not is_url(config.jax_compilation_cache_dir) and _MIN_SECONDS not in os.environ:
        config.update(_MIN_SECONDS.lower(), _WORTH_KEEPING)


def _processor() -> str:
    """Identifies the CPU's instructions: machines that share a home may need other programs."""
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text(encoding="utf-8").splitlines() if cpus.is_file() else []
    features = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    known = hashlib.sha256(f"{platform.processor()}{features}".encode()).hexdigest()[:8]
    return f"{platform.machine()}-{known}"


class Hits:
    """Counts programs that the cache had, and programs that it did not have, inside the context."""

    def __init__(self) -> None:
        self.found = self.missed = 0

    def __enter__(self) -> Hits:
        jax.monitoring.register_event_listener(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        jax.monitoring.unregister_event_listener(self._count)

    def _count(self, event: str, **_: object) -> None:
        self.found += event == "/jax/compilation_cache/cache_hits"
        self.missed += event == "/jax/compilation_cache/cache_misses"
