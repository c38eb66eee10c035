"""Tests unusual callers: a thread other than the main one, and a script that workers run again."""

import subprocess
import sys
import threading
from pathlib import Path

from configs import synthetic
from tests.videos import numbered_frames, write_video
from vidjax.run.config import from_mapping
from vidjax.training.loop import train

ROOT = Path(__file__).parents[2]
UNGUARDED = """
import sys
from pathlib import Path
from vidjax.data import catalog
request = catalog.Request(data_dir=Path(sys.argv[2]), manifest=sys.argv[1])
print(catalog.prepare("video_folder", request))
"""


def smallest():
    config = synthetic.get_config()
    config.model.options = {"width": 4, "depths": (1, 0, 0, 0), "stem_kernel": (1, 3, 3)}
    config.data.options = {"num_classes": 2, "videos": 8, "frames": 2, "size": 16}
    config.clip.update({"frames": 2, "stride": 1, "size": 16})
    config.eval.size = 16
    config.train.duration = "2 steps"
    return from_mapping(config)


def test_a_thread_can_train(tmp_path):
    ended = []
    thread = threading.Thread(target=lambda: ended.append(train(smallest(), tmp_path / "run")))
    thread.start()
    thread.join()
    assert [outcome.preempted for outcome in ended] == [False]


def test_the_error_for_a_script_without_a_guard_names_the_guard(tmp_path):
    for label in ("sit", "walk"):
        for number in range(2):
            write_video(tmp_path / "videos" / label / f"{number}.mp4", numbered_frames(4, 32, 64))
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    command = [sys.executable, script, tmp_path / "videos", tmp_path / "data"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert "if __name__ == '__main__'" in done.stderr
    assert done.stderr.count("Traceback") == 1
