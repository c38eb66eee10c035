"""Functions compiled quickly: what a test runs a few times is not worth compiling well."""

import functools

import jax

UNOPTIMIZED = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
quickly = functools.partial(jax.jit, compiler_options=UNOPTIMIZED)
