"""Installs fake distributions: writes their metadata and entry points into a folder of packages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def installed(site: Path, name: str, groups: Mapping[str, Mapping[str, str]]) -> Path:
    """Writes the metadata of a distribution into a folder that will be on Python's path.

    Args:
      site: the folder.
      name: name of the distribution.
      groups: entry points by group and name.
    """
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = []
    for group, points in groups.items():
        lines += [f"[{group}]", *(f"{key} = {value}" for key, value in points.items())]
    (folder / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return site
