"""Finds configurations and commands in a source checkout, where they are beside `vidjax`.

A wheel has both inside the package, where they cannot clash with the user's own `configs` and
`experiments`. Either way they are imported as `vidjax.configs` and `vidjax.experiments`.
"""

from __future__ import annotations

from pathlib import Path


def checkout_folder(package: Path) -> list[str]:
    """Returns the folder of a source checkout with a package's modules; empty in a wheel.

    Args:
      package: folder of the package inside `vidjax`; in a checkout it has only its `__init__`.
    """
    folder = package.parents[1] / package.name
    is_installed = any(path.name != "__init__.py" for path in package.glob("*.py"))
    return [] if is_installed or not folder.is_dir() else [str(folder)]
