"""Measures speed against named peers; the first argument says of what.

Example:
  python -m experiments.benchmark models --model=r3d_18 --batch=4 --clip=8,64,64
  python -m experiments.benchmark data
  python -m experiments.benchmark kernels --only=channel-wise
  python -m experiments.benchmark methods --model=slowonly_50 --batch=4 --clip=8,112,112
  python -m experiments.benchmark pyramids --models=r3d_50
  python -m experiments.benchmark multigrid --model=r3d_18 --clip=16,112,112
  python -m experiments.benchmark scale --model=r3d_50 --devices=8 --machine=h100
"""

import importlib
import sys

from absl import app

PARTS = ("models", "data", "kernels", "methods", "pyramids", "multigrid", "scale")


def main() -> None:
    """Hands over to the part that the first argument names."""
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    if part not in PARTS:
        print(__doc__, file=sys.stderr)
        sys.exit(0 if part in ("--help", "-h", "help") else 2)
    module = importlib.import_module(f"experiments.benchmark.{part}")
    del sys.argv[1]
    app.run(module.main)


if __name__ == "__main__":
    main()
