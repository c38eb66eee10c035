"""Decides how many threads compute a convolution."""

from __future__ import annotations

import math

from vidjax.layers.convolution.problem import Problem

# What a thread does while another one wakes up, which takes about 50 microseconds. oneDNN's threads
# fall asleep between its calls, because XLA needs the processors. Measured on 283 convolutions of
# nine networks (two cores of an AMD EPYC, 2026-11-30).
_MULTIPLY_ADDS = 6e6
_COPIED = 6e4


def computing_threads(problem: Problem, most: int) -> int:
    """Returns the number of threads that compute a convolution: 1 if it is small, or `most`."""
    multiply_adds = math.prod(problem.result) * math.prod(problem.kernel[:4])
    return _threads(multiply_adds / _MULTIPLY_ADDS, most)


def converting_threads(problem: Problem, most: int) -> int:
    """Returns the number of threads that copy a kernel to another layout: 1 or `most`."""
    return _threads(math.prod(problem.kernel) / _COPIED, most)


def _threads(work: float, most: int) -> int:
    """Returns 1 if waking the others takes longer than what they save, otherwise `most`.

    The rule sees the problem alone, so that results are the same in every process.

    Args:
      work: time that the work takes one thread, in times that others take to wake up.
      most: number of threads that there are.
    """
    return 1 if work * (most - 1) <= most else most
