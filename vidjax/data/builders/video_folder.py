"""Your own videos: a folder `class/video.*` or a CSV manifest, as a TFDS data set."""

from pathlib import Path

from vidjax.data.builders.prepared_videos import PreparedVideos, prepare_videos
from vidjax.data.catalog import Request
from vidjax.data.exclusions import broken_video
from vidjax.data.manifest import few, read_manifest
from vidjax.data.preparation_report import EXCLUDED, read_report
from vidjax.storage.paths import as_path


class VideoFolder(PreparedVideos):
    """Videos from a CSV manifest or a folder of classes."""


def prepare(request: Request) -> Path:
    """Prepares the videos of `request.manifest`, a folder or a CSV; returns the prepared folder.

    Raises:
      ValueError: no manifest is given, or it is invalid.
    """
    for option in request.options:
        raise ValueError(f"data.options.{option} is unknown to video_folder; it has no options")
    if not request.manifest:
        raise ValueError("data.manifest is empty; set it to a folder of videos or a CSV file")
    manifest = read_manifest(
        request.manifest,
        root=request.root or None,
        allow_group_leak=request.allow_group_leak,
        multi_label=request.multi_label,
    )
    for note in manifest.notes:
        request.note(note)
    if manifest.leaked_groups:
        request.note(
            f"warning: {request.manifest}: group {few(manifest.leaked_groups)} is in both training "
            "and evaluation, which inflates the score"
        )
    if request.verdicts:
        manifest = manifest.without(broken_video(as_path(request.verdicts), manifest))
    folder = prepare_videos(VideoFolder(manifest=manifest, request=request))
    lost = sum(count.listed - count.prepared for count in read_report(folder))
    if lost:
        total = len(manifest.entries) + len(manifest.excluded)
        request.note(f"{lost} of {total} videos are excluded; {folder / EXCLUDED} says why")
    return folder
