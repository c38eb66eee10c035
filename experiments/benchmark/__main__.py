"""Measures speed; the first argument names what to measure.

What is measured:
  models       forward passes and training steps of networks, against PyTorch
  data         clips per second from each storage format
  kernels      single convolutions, against XLA and PyTorch
  methods      what the papers' methods cost
  pyramids     what Class Feature Pyramids cost
  explanations how long each explanation takes, against a forward pass
  memory       peak memory of training and explanations, against PyTorch
  growth       how time and memory grow with batch, frames, videos and more
  start        how long compiling, starting and --help take
  multigrid    epochs with a multigrid, against the fixed shape
  scale        communication between devices, and the predicted efficiency
  roofline     the predicted speed on accelerators
  program      copies, padding and float32 products in a compiled step
  machine      the fastest matrix products and copies on this machine
  profile      the most expensive operations of a training step
  accelerator  all of this on an accelerator, as a report

`vidjax benchmark models --help` lists the flags of one of them.

Examples:
  vidjax benchmark models --models=r3d_18,x3d_s --passes=forward,train
  vidjax benchmark data
  vidjax benchmark kernels --only=channel-wise
  vidjax benchmark methods --model=slowonly_50 --batch=4 --clip=8,112,112
  vidjax benchmark pyramids --models=r3d_50
  vidjax benchmark explanations --models=r3d_18,x3d_s
  vidjax benchmark memory --models=r3d_18,x3d_s
  vidjax benchmark growth --output=runs/growth
  vidjax benchmark multigrid --model=r3d_18 --clip=16,112,112
  vidjax benchmark start --models=r3d_18,mtnet_s
  vidjax benchmark scale --model=r3d_50 --devices=8 --machine=h100
  vidjax benchmark roofline --machines=v5e,h100
  vidjax benchmark program --model=r3d_50 --topology=v5e:2x2
  vidjax benchmark machine
  vidjax benchmark profile --model=r3d_18
  vidjax benchmark accelerator --output=runs/speed
"""

import importlib
import sys
from collections.abc import Callable, Sequence

from absl import flags

from vidjax.terminal import complain, say
from vidjax.training.malloc_settings import keep_freed_memory

from .. import command_line

# Off by default: it affects the whole process, and PyTorch's threads may be slower with it.
_KEEP_MEMORY = flags.DEFINE_bool(
    "keep_memory", False, "Keeps freed memory for later arrays, as training on a CPU does."
)
PARTS = (
    "models",
    "data",
    "kernels",
    "methods",
    "pyramids",
    "explanations",
    "memory",
    "growth",
    "multigrid",
    "start",
    "scale",
    "roofline",
    "program",
    "machine",
    "profile",
    "accelerator",
)


def main() -> None:
    """Hands over to the part that the first argument names."""
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    if part not in PARTS:
        asked = part in ("--help", "-h", "help")
        unknown = f"error: {part!r} is not one of {', '.join(PARTS)}\n\n" if part else ""
        tell = say if asked else complain
        tell(*f"{'' if asked else unknown}{__doc__}".splitlines())
        sys.exit(0 if asked else 2)
    module = importlib.import_module(f".{part}", __package__)
    # Without this, --help would not show the flags of the part.
    flags.adopt_module_key_flags(module)
    del sys.argv[1]
    command_line.answer(lambda: _run(module.main), module.__doc__)


def _run(main: Callable[[Sequence[str]], None]) -> None:
    if _KEEP_MEMORY.value:
        keep_freed_memory()
    main([])


if __name__ == "__main__":
    main()
