"""Shades: videos that are dark or light, named `dark-1-train.mp4`."""

from __future__ import annotations

from pathlib import Path

from vidjax.data.builders import (
    Entry,
    Manifest,
    ManifestError,
    PreparedVideos,
    Request,
    prepare_videos,
)


class Shades(PreparedVideos):
    """Dark and light videos."""


def prepare(request: Request) -> Path:
    """Prepares the videos of `request.manual_dir`.

    Raises:
      ValueError: there are none, or an option is given.
    """
    for option in request.options:
        raise ManifestError(f"data.options.{option} is unknown to shades; it has none")
    folder = Path(request.manual_dir)
    files = sorted(path.name for path in folder.glob("*.mp4"))
    if not files:
        raise ManifestError(f"data.manual_dir = {request.manual_dir!r} has no videos")
    parts = (Path(name).stem.split("-") for name in files)
    entries = tuple(
        Entry(name, label, split) for name, (label, _, split) in zip(files, parts, strict=True)
    )
    manifest = Manifest(folder.absolute(), entries, ("dark", "light"))
    return prepare_videos(Shades(manifest=manifest, request=request))
