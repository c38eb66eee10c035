"""How well XLA compiles: in haste what a test runs a few times on a few numbers, which is nearly
all, and as for anyone where a test is about the compiled program."""

import functools

import jax

# Loops are made as before XLA had emitters of fusions, which take several times as long.
UNOPTIMIZED = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_parallel_codegen_split_count": 1,
}
# XLA's own settings of these.
OPTIMIZED = {
    "xla_backend_optimization_level": 3,
    "xla_llvm_disable_expensive_passes": False,
    "xla_cpu_use_fusion_emitters": True,
    "xla_cpu_parallel_codegen_split_count": 32,
}
quickly = functools.partial(jax.jit, compiler_options=UNOPTIMIZED)


def flags(options: dict[str, bool | int]) -> str:
    """Options of the compiler as `XLA_FLAGS` has them."""
    return " ".join(f"--{name}={str(value).lower()}" for name, value in options.items())
