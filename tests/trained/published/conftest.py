"""Fixtures of the tests of published weights."""

import pytest

from tests.trained.published.rows import cache, register

__all__ = ["cache", "register"]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """Servers of tests are on this machine, whatever the environment says."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
