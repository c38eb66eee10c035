"""Memory that is freed stays with the process, so that a pass does not pay for pages each time.

XLA's CPU backend allocates what a program needs at each call. Of a whole training step that is one
block, whose pages are touched for many operations; of a convolution by itself it is a large part
of the time, and says nothing of the convolution.
"""

from __future__ import annotations

import ctypes
import sys

# Of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8


def keep_freed_memory() -> bool:
    """Tells glibc's allocator, where there is one; to be called before JAX starts its threads."""
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return False
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_ARENA_MAX, 1))
    return all([library.mallopt(name, value) for name, value in settings])
