"""Computes a convolution and its gradients, each by the algorithm that the table chooses."""

from __future__ import annotations

import functools

import jax

from vidjax.layers.convolution import split
from vidjax.layers.convolution.algorithm import PASSES
from vidjax.layers.convolution.algorithms import ALGORITHMS, candidates
from vidjax.layers.convolution.choice import choose
from vidjax.layers.convolution.problem import Problem, live_taps, without_dead_taps


def convolve(problem: Problem, x: jax.Array, kernel: jax.Array, backend: str) -> jax.Array:
    """Convolves `[B, T, H, W, C]` to `[B, T', H', W', O]`, by the table of a backend."""
    live = live_taps(problem)
    problem, kernel = without_dead_taps(problem, live), kernel[live]
    if problem.kind == "grouped" and backend == "cpu" and not _computed_whole(problem):
        dense = functools.partial(_with_gradients, backend)
        return split.convolve(problem, x, kernel, dense)
    return _with_gradients(backend, problem, x, kernel)


def _computed_whole(problem: Problem) -> bool:
    """Returns whether each pass has an algorithm for all groups at once, besides XLA's slow one."""
    return all(set(candidates(name, problem)) - {"xla"} for name in PASSES)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _with_gradients(backend: str, problem: Problem, x: jax.Array, kernel: jax.Array) -> jax.Array:
    return _pass(backend, "forward", problem, x, kernel)


def _forward(
    backend: str, problem: Problem, x: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _pass(backend, "forward", problem, x, kernel), (x, kernel)


def _backward(
    backend: str, problem: Problem, saved: tuple[jax.Array, jax.Array], g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    dx = _pass(backend, "input_gradient", problem, kernel, g)
    return dx, _pass(backend, "kernel_gradient", problem, x, g)


_with_gradients.defvjp(_forward, _backward)


def _pass(backend: str, name: str, problem: Problem, one: jax.Array, other: jax.Array) -> jax.Array:
    return _computed(choose(name, problem, backend), name, problem, one, other)


# Not inlined, so that the many convolutions of equal shapes in a network are traced only once.
@functools.partial(jax.jit, static_argnums=(0, 1, 2), inline=False)
def _computed(
    algorithm: str, name: str, problem: Problem, one: jax.Array, other: jax.Array
) -> jax.Array:
    result: jax.Array = getattr(ALGORITHMS[algorithm], name)(problem, one, other)
    return result
