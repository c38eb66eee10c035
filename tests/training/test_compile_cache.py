"""Tests the cache of compiled programs with restarted processes."""

import os
import subprocess
import sys

PROGRAM = """
import jax, jax.numpy as jnp
from vidjax.training import compile_cache
compile_cache.enable()
print(jax.config.jax_persistent_cache_min_compile_time_secs)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
with compile_cache.Hits() as hits:
    jax.jit(lambda x: jnp.sin(x) @ x).lower(jnp.ones((8, 8))).compile()
print(hits.found, hits.missed)
"""


def start(expected=None, **environment):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("JAX_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=kept | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    limit, found, missed = done.stdout.split()
    if expected is not None:
        assert float(limit) == expected
    return int(found), int(missed)


def test_a_second_process_reuses_compiled_programs(tmp_path):
    home = {"XDG_CACHE_HOME": str(tmp_path)}
    found, missed = start(**home)
    assert found == 0
    assert missed > 0
    assert list((tmp_path / "vidjax" / "compiled").iterdir())
    again, missed = start(**home)
    assert again > 0
    assert missed == 0


def test_settings_of_jax_take_precedence(tmp_path):
    elsewhere = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "elsewhere")}
    start(XDG_CACHE_HOME=str(tmp_path / "home"), **elsewhere)
    assert (tmp_path / "elsewhere").is_dir()
    start(XDG_CACHE_HOME=str(tmp_path / "home"), JAX_ENABLE_COMPILATION_CACHE="false")
    assert not (tmp_path / "home").exists()


def test_short_initialisation_programs_are_cached(tmp_path):
    home = {"XDG_CACHE_HOME": str(tmp_path)}
    start(expected=0.02, **home)
    start(expected=0.5, JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0.5", **home)
