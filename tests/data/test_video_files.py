from vidjax.data.video_files import videos_below, videos_by_stem


def _files(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"")


def test_videos_are_found_in_all_folders_and_other_files_are_skipped(tmp_path):
    _files(tmp_path, "a/b/x.MP4", "y.webm", "a/._x.mp4", ".AppleDouble/z.avi", "a/x.txt", "a/no")
    assert sorted(videos_below(tmp_path)) == ["a/b/x.MP4", "y.webm"]


def test_links_are_followed_once(tmp_path):
    _files(tmp_path, "elsewhere/x.mp4", "set/here.mp4")
    (tmp_path / "set/train").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set/around").symlink_to(tmp_path / "set")
    assert sorted(videos_below(tmp_path / "set")) == ["here.mp4", "train/x.mp4"]


def test_the_preferred_one_of_several_videos_with_the_same_name_is_used(tmp_path):
    _files(tmp_path, "train/x.mp4", "replacement/new/x.mp4", "train/y.mp4", "all/y.mp4")
    assert videos_by_stem(tmp_path, prefer="replacement") == {
        "x": "replacement/new/x.mp4",
        "y": "all/y.mp4",
    }
