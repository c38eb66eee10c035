"""Fixtures for the tests that read checkpoint files."""

import pytest

from tests.convert.pickles import FORMS


@pytest.fixture(params=FORMS)
def form(request):
    return request.param


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.pth"
