"""Builds the wheel of the working tree with the installed tools."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def build_wheel(folder):
    """Builds the wheel into a folder without downloading packages; returns its path."""
    built = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    built += ["--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder), str(ROOT)]
    done = subprocess.run(built, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("*.whl")
    return found
