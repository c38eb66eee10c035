"""Counts the videos of a folder of shades.

Example:
  vidjax count_shades videos
"""

import sys
from pathlib import Path

from vidjax.terminal import say


def main() -> None:
    """Prints the number."""
    say(len(list(Path(sys.argv[1]).glob("*.mp4"))))


if __name__ == "__main__":
    main()
