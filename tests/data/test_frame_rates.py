"""Tests the note about different frame rates within a data set."""

from tests.videos import numbered_frames, write_video
from vidjax.data import catalog
from vidjax.data.frame_rates import rates_note


def test_usual_frame_rates_cause_no_note():
    assert rates_note([24.0, 25.0, 30000 / 1001]) == ""
    assert rates_note([]) == ""
    assert rates_note([25.0, 100.0]).startswith("frame rates range from 25 to 100 fps")


def prepare(folder, said, **storage):
    request = catalog.Request(
        data_dir=folder / "data",
        storage=catalog.Storage(short_side=32, **storage),
        manifest=str(folder / "videos"),
        note=said.append,
    )
    catalog.prepare("video_folder", request)


def test_two_frame_rates_cause_a_note_unless_fps_is_set(tmp_path):
    for label, fps in (("slow", 25), ("fast", 100)):
        for number in range(2):
            file = tmp_path / "videos" / label / f"{number}.mp4"
            write_video(file, numbered_frames(12, 32, 64), fps=fps)
    said: list[str] = []
    prepare(tmp_path, said)
    assert [line for line in said if "25 to 100 fps" in line]
    said.clear()
    prepare(tmp_path, said, fps=25.0)
    assert not [line for line in said if "frame rates range" in line]
