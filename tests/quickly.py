"""Sets how well XLA compiles. Nearly all tests run a program a few times on small arrays, so they
compile with few optimisations. Tests about the compiled program use the default options."""

import functools

import jax
from flax.core.scope import Scope

# XLA's fusion emitters take several times as long as its older code generator. Later versions have
# only the emitters, and abort the process at an unknown flag.
_HAS_CHOICE = jax.__version_info__ < (0, 11)
UNOPTIMIZED = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    "xla_cpu_parallel_codegen_split_count": 1,
} | ({"xla_cpu_use_fusion_emitters": False} if _HAS_CHOICE else {})
# XLA's default values of these options.
OPTIMIZED = {
    "xla_backend_optimization_level": 3,
    "xla_llvm_disable_expensive_passes": False,
    "xla_cpu_parallel_codegen_split_count": 32,
} | ({"xla_cpu_use_fusion_emitters": True} if _HAS_CHOICE else {})
quickly = functools.partial(jax.jit, compiler_options=UNOPTIMIZED)


def flags(options: dict[str, bool | int]) -> str:
    """Formats compiler options as `XLA_FLAGS` needs them."""
    return " ".join(f"--{name}={str(value).lower()}" for name, value in options.items())


def trace_first_values_once() -> None:
    """Traces each initial value once. Flax traces it at each use of a parameter to compare shapes,
    which takes a third of the time of tracing a network.
    """
    param = Scope.param

    def quick(scope, name, init, *args, unbox=True, **more):
        if not more and scope.has_variable("params", name):
            value = scope.get_variable("params", name)
            # Some layers of Flax pass the shape as a list, which is not hashable.
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
