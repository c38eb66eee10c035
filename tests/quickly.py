"""How well XLA compiles: in haste what a test runs a few times on a few numbers, which is nearly
all, and as for anyone where a test is about the compiled program."""

import functools

import jax
from flax.core.scope import Scope

# Loops are made as before XLA had emitters of fusions, which take several times as long. Later
# series have nothing but emitters, and end the process at a flag that they do not know.
_HAS_CHOICE = jax.__version_info__ < (0, 11)
UNOPTIMIZED = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    "xla_cpu_parallel_codegen_split_count": 1,
} | ({"xla_cpu_use_fusion_emitters": False} if _HAS_CHOICE else {})
# XLA's own settings of these.
OPTIMIZED = {
    "xla_backend_optimization_level": 3,
    "xla_llvm_disable_expensive_passes": False,
    "xla_cpu_parallel_codegen_split_count": 32,
} | ({"xla_cpu_use_fusion_emitters": True} if _HAS_CHOICE else {})
quickly = functools.partial(jax.jit, compiler_options=UNOPTIMIZED)


def flags(options: dict[str, bool | int]) -> str:
    """Options of the compiler as `XLA_FLAGS` has them."""
    return " ".join(f"--{name}={str(value).lower()}" for name, value in options.items())


def trace_first_values_once() -> None:
    """At each use of a parameter Flax traces its first value, to compare the two shapes. That takes
    a third of tracing a network; here each value is traced once.
    """
    param = Scope.param

    def quick(scope, name, init, *args, unbox=True, **more):
        if not more and scope.has_variable("params", name):
            value = scope.get_variable("params", name)
            # Some of Flax's layers give the shape as a list, which a cache cannot look up.
            given = (tuple(own) if isinstance(own, list) else own for own in args)
            if hasattr(value, "shape") and value.shape == _first_shape(init, *given):
                scope.reserve(name, "params")
                return value
        return param(scope, name, init, *args, unbox=unbox, **more)

    Scope.param = quick


@functools.cache
def _first_shape(init, *args):
    return jax.eval_shape(lambda: init(jax.random.key(0), *args)).shape


forget_first_values = _first_shape.cache_clear
