"""All passes by oneDNN, on one CPU device."""

from __future__ import annotations

import functools

import jax

from vidjax.layers.convolution.algorithm import Algorithm
from vidjax.layers.convolution.onednn import call
from vidjax.layers.convolution.onednn.primitive import available
from vidjax.layers.convolution.problem import Problem

Pair = tuple[jax.Array, jax.Array]


def fits(problem: Problem, name: str) -> bool:
    """Where oneDNN is installed and has the pass; XLA cannot divide its calls among devices."""
    return jax.device_count() == 1 and available(name, problem)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _pass(name: str, problem: Problem, one: jax.Array, other: jax.Array) -> jax.Array:
    return call.convolve(name, problem, one, other)


def _forward(name: str, problem: Problem, *arrays: jax.Array) -> tuple[jax.Array, Pair]:
    one, other = arrays
    return _pass(name, problem, one, other), (one, other)


def _backward(name: str, problem: Problem, saved: Pair, given: jax.Array) -> Pair:
    """Each pass is linear in both of its arrays, and its gradients are the two other passes."""
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
