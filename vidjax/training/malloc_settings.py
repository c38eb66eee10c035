"""Memory that a step frees stays with the process, so that the next does not pay for it again.

XLA's CPU backend allocates what a program needs at every call, and glibc gives large blocks back to
the system at once: a step then touches its pages for the first time, each time, which was 18 to
32 % of its CPU time on two cores. On accelerators steps do not allocate from the host.
"""

from __future__ import annotations

import ctypes
import importlib.util
import mmap
import os
import sys

# Of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
# Bytes of a huge page, on x86 and most of ARM.
_HUGE = 2**21


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
    # Threads' own arenas cannot grow past 64 MiB, and return whole pieces of themselves. Below
    # zero no freed memory is too much to be kept.
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1), (_ARENA_MAX, 1))
    accepted = [library.mallopt(name, value) for name, value in settings]
    _ask_for_huge_pages(library)
    return all(accepted)


def _ask_for_huge_pages(library: ctypes.CDLL) -> None:
    """Of the memory that is allocated next; where the system has none, nothing changes.

    The heap grows, is told, and is left to the allocator: what is not written takes no memory.
    """
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return
    library.malloc.restype = ctypes.c_void_p
    size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4
    start = library.malloc(ctypes.c_size_t(size))
    if start is None:
        return
    inner = -(-start // _HUGE) * _HUGE
    length = (start + size - inner) // _HUGE * _HUGE
    library.madvise(ctypes.c_void_p(inner), ctypes.c_size_t(length), mmap.MADV_HUGEPAGE)
    library.free(ctypes.c_void_p(start))


def _has_accelerator() -> bool:
    """Whether JAX may find one; asking it would start its threads."""
    platforms = os.environ.get("JAX_PLATFORMS", "")
    if platforms:
        return platforms != "cpu"
    return any(importlib.util.find_spec(name) for name in ("jax_plugins", "libtpu"))
