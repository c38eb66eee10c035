"""Where a clone keeps the configurations and the commands: in folders beside `vidjax`.

A wheel has both inside the package, where they cannot meet the user's own `configs` and
`experiments`. Either way they are imported as `vidjax.configs` and `vidjax.experiments`.
"""

from __future__ import annotations

from pathlib import Path


def beside(package: Path) -> list[str]:
    """The folder of a clone that has the modules of a package, if this is a clone.

    Args:
      package: folder of the package inside `vidjax`; in a clone it has nothing but its `__init__`.
    """
    folder = package.parents[1] / package.name
    is_installed = any(path.name != "__init__.py" for path in package.glob("*.py"))
    return [] if is_installed or not folder.is_dir() else [str(folder)]
