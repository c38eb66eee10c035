"""Memory that a step frees stays with the process, so that the next does not pay for it again.

XLA's CPU backend allocates what a program needs at every call, and glibc gives large blocks back to
the system at once: a step then touches its pages for the first time, each time, which was 18 to
32 % of its CPU time on two cores. On accelerators steps do not allocate from the host.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys

# Of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8


def keep_freed_memory() -> bool:
    """Tells glibc's allocator so; to be called before JAX starts its threads.

    Returns:
      Whether it was told: not where steps run on an accelerator, nor where another allocator is at
      work, nor where the environment has settings of its own for glibc's (`MALLOC_...`,
      `GLIBC_TUNABLES`).
    """
    own = any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ)
    if own or _has_accelerator() or not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return False
    # Threads' own arenas cannot grow past 64 MiB, and return whole pieces of themselves.
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_ARENA_MAX, 1))
    accepted = [library.mallopt(name, value) for name, value in settings]
    return all(accepted)


def _has_accelerator() -> bool:
    """Whether JAX may find one; asking it would start its threads."""
    platforms = os.environ.get("JAX_PLATFORMS", "")
    if platforms:
        return platforms != "cpu"
    return any(importlib.util.find_spec(name) for name in ("jax_plugins", "libtpu"))
