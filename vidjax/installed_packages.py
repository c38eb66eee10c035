"""Tells which optional packages are installed, without importing them."""

from __future__ import annotations

from importlib.util import find_spec


def is_installed(package: str) -> bool:
    """Returns whether a package is installed.

    A folder of that name in the current directory is not the package: Python would import it as an
    empty namespace.

    Args:
      package: name to import, such as `torch`; not that of a namespace, such as `google.cloud`.
    """
    try:
        spec = find_spec(package)
    # A part before a dot is missing.
    except ModuleNotFoundError:
        return False
    return spec is not None and spec.origin is not None
