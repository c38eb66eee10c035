"""Fixtures for tests of the HTML page."""

import pytest

from tests.browser import browser
from tests.explain.page_samples import DESK
from vidjax.explain.html_page import page


@pytest.fixture(scope="session")
def chromium():
    """A browser that all tests share, because it takes seconds to start."""
    with browser() as opened:
        yield opened


@pytest.fixture
def shown(chromium, tmp_path):
    """Shows a page of panels; finally checks for errors and for network requests."""

    def show(*panels, title="clip.mp4", window=DESK, wrap=lambda text: text, **media):
        file = tmp_path / "page.html"
        file.write_text(wrap(page(title, panels, 8)), encoding="utf-8")
        chromium.show(file, *window, **media)
        return chromium

    yield show
    assert chromium.complaints == []
    outside = ("data:", (tmp_path / "page.html").as_uri(), "about:srcdoc")
    assert [own for own in chromium.requests if not own.startswith(outside)] == []
