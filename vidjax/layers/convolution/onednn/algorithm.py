"""Computes all passes of a convolution by oneDNN, on a single CPU device."""

from __future__ import annotations

import functools

import jax

from vidjax.layers.convolution.algorithm import Algorithm
from vidjax.layers.convolution.onednn import call
from vidjax.layers.convolution.onednn.primitive import available
from vidjax.layers.convolution.portable import is_portable
from vidjax.layers.convolution.problem import Problem

Pair = tuple[jax.Array, jax.Array]


def fits(problem: Problem, name: str) -> bool:
    """Accepts what oneDNN supports, on a single device: XLA cannot divide calls among devices."""
    return not is_portable() and jax.device_count() == 1 and available(name, problem)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _pass(name: str, problem: Problem, one: jax.Array, other: jax.Array) -> jax.Array:
    return call.convolve(name, problem, one, other)


def _forward(name: str, problem: Problem, *arrays: jax.Array) -> tuple[jax.Array, Pair]:
    one, other = arrays
    return _pass(name, problem, one, other), (one, other)


def _backward(name: str, problem: Problem, saved: Pair, given: jax.Array) -> Pair:
    """Computes the gradients of a pass, which is linear in both arrays, by the other two passes."""
    one, other = saved
    if name == "forward":
        return input_gradient(problem, other, given), kernel_gradient(problem, one, given)
    if name == "input_gradient":
        return kernel_gradient(problem, given, other), forward(problem, given, one)
    return input_gradient(problem, given, other), forward(problem, one, given)


_pass.defvjp(_forward, _backward)

forward = functools.partial(_pass, "forward")
input_gradient = functools.partial(_pass, "input_gradient")
kernel_gradient = functools.partial(_pass, "kernel_gradient")

ALGORITHM = Algorithm(fits, forward, input_gradient, kernel_gradient)
