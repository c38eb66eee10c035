"""Fixtures: folders in the layout of published data sets, with tiny clips."""

from __future__ import annotations

import pytest

from tests.videos import numbered_frames, write_video
from vidjax.data import catalog


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory):
    """Returns the bytes of a video of four frames."""
    file = write_video(tmp_path_factory.mktemp("tiny") / "clip.mp4", numbered_frames(4, 16, 64))
    return file.read_bytes()


class Tree:
    """A folder to fill with files, and the notes of its preparation."""

    def __init__(self, folder, clip):
        self.folder, self._clip = folder / "published", clip
        self.folder.mkdir()
        self.data_dir = folder / "prepared"
        self.notes = []

    def videos(self, *paths):
        for path in paths:
            self.text(path, self._clip)

    def text(self, path, content):
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def request(self, *, place="", **options):
        known = {
            name: options.pop(name)
            for name in ("allow_group_leak", "beam", "progress", "storage", "verdicts")
            if name in options
        }
        return catalog.Request(
            data_dir=self.data_dir,
            manual_dir=str(self.folder / place),
            workers=1,
            options=options,
            note=self.notes.append,
            **known,
        )


@pytest.fixture
def tree(tmp_path, tiny_clip):
    return Tree(tmp_path, tiny_clip)


def rows(manifest):
    """Returns the rows of a manifest: path, label, split, start, end and group."""
    return [(e.path, e.label, e.split, e.start, e.end, e.group) for e in manifest.entries]


def left_out(manifest):
    """Returns paths and reasons of the excluded videos."""
    return [(exclusion.entry.path, exclusion.reason) for exclusion in manifest.excluded]
