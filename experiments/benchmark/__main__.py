"""Measures speed against named peers; the first argument says of what.

Example:
  vidjax benchmark models --models=r3d_18,x3d_s --passes=forward,train
  vidjax benchmark data
  vidjax benchmark kernels --only=channel-wise
  vidjax benchmark methods --model=slowonly_50 --batch=4 --clip=8,112,112
  vidjax benchmark pyramids --models=r3d_50
  vidjax benchmark multigrid --model=r3d_18 --clip=16,112,112
  vidjax benchmark start --models=r3d_18,mtnet_s
  vidjax benchmark scale --model=r3d_50 --devices=8 --machine=h100
  vidjax benchmark machine
  vidjax benchmark profile --model=r3d_18
  vidjax benchmark accelerator --output=runs/speed
"""

import importlib
import sys
from collections.abc import Callable, Sequence

from absl import flags

from vidjax.terminal import complain
from vidjax.training.kept_memory import keep_freed_memory

from .. import command_line

# Of the whole process: PyTorch's threads, which allocate much at a time, can be slower with it.
_KEEP_MEMORY = flags.DEFINE_bool(
    "keep_memory", False, "keep freed memory, as runs of training on a CPU do"
)
PARTS = (
    "models",
    "data",
    "kernels",
    "methods",
    "pyramids",
    "multigrid",
    "start",
    "scale",
    "machine",
    "profile",
    "accelerator",
)


def main() -> None:
    """Hands over to the part that the first argument names."""
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    if part not in PARTS:
        asked = part in ("--help", "-h", "help")
        unknown = f"error: {part!r} is none of {', '.join(PARTS)}\n\n" if part else ""
        complain(*(__doc__ if asked else f"{unknown}{__doc__}").splitlines())
        sys.exit(0 if asked else 2)
    module = importlib.import_module(f".{part}", __package__)
    # So that the part's --help shows the part's own.
    flags.adopt_module_key_flags(module)
    del sys.argv[1]
    command_line.answer(lambda: _run(module.main), module.__doc__)


def _run(main: Callable[[Sequence[str]], None]) -> None:
    if _KEEP_MEMORY.value:
        keep_freed_memory()
    main([])


if __name__ == "__main__":
    main()
