"""marionette, the generated data set of acting figures, as a TFDS data set."""

from pathlib import Path

from vidjax.data.builders.prepared_videos import PreparedVideos, prepare_videos
from vidjax.data.catalog import Request
from vidjax.data.manifest import read_manifest
from vidjax.data.marionette import MarionetteSpec, generate, is_generated


class Marionette(PreparedVideos):
    """Articulated figures that act, rendered to H.264 files (`vidjax.data.marionette`)."""


def prepare(request: Request) -> Path:
    """Generates the videos of `MarionetteSpec(**request.options)` and prepares them.

    Raises:
      ValueError: an option is not one of `MarionetteSpec`, or its value is not allowed.
    """
    try:
        spec = MarionetteSpec(**request.options)
    except TypeError as error:
        raise ValueError(f"data.options for marionette: {error}") from None
    directory = request.data_dir / "marionette_videos" / spec.tag
    if not is_generated(directory, spec):
        request.begin(f"there are no generated videos in {directory}")
    csv = generate(
        directory,
        spec,
        workers=request.workers,
        progress=lambda done, total: request.progress("generate", done, total),
    )
    return prepare_videos(Marionette(manifest=read_manifest(csv), request=request))
