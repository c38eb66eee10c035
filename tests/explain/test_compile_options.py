"""Tests compiler options of passes: they change the duration but not the result."""

import jax
import numpy as np
import pytest

from tests.explain.third_party_networks import OTHERS
from vidjax.explain import compile_options
from vidjax.explain.compile_options import compiled, full_optimization
from vidjax.explain.traced_network import trace_network
from vidjax.fast_compilation import fast_compile_options


@pytest.fixture
def network(monkeypatch):
    """Returns a network; no optimisation level is set in the environment."""
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    return trace_network(*OTHERS["plain"]())


def options_of(network, monkeypatch, make=None):
    """Returns the compiler options of a pass."""
    seen = []
    jit = jax.jit

    def spy(function, **options):
        seen.append(options["compiler_options"])
        return jit(function, **options)

    monkeypatch.setattr(jax, "jit", spy)
    compiled(make or logits)(network)
    return seen[0]


def logits(network):
    return lambda weights, clip: network.evaluate(weights, clip, [network.graph.logits])[0]


def test_only_large_programs_are_compiled_with_few_optimisations(network, monkeypatch):
    assert options_of(network, monkeypatch) is None
    monkeypatch.setattr(compile_options, "MANY", 5)
    assert options_of(network, monkeypatch) == fast_compile_options()
    with full_optimization():
        assert options_of(network, monkeypatch) is None
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=2")
    assert options_of(network, monkeypatch) is None


def test_other_devices_use_default_compiler_options(network, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(compile_options, "MANY", 5)
    assert options_of(network, monkeypatch) is None


def test_results_do_not_depend_on_compiler_options(network, monkeypatch):
    _, weights, clip = OTHERS["plain"]()
    make = compiled(logits)
    monkeypatch.setattr(compile_options, "MANY", 5)
    in_haste = make(network)
    assert make(network) is in_haste
    with full_optimization():
        well = make(network)
    assert well is not in_haste
    found = [np.asarray(run(weights, clip)) for run in (in_haste, well)]
    np.testing.assert_allclose(*found, rtol=1e-5)
