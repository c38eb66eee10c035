"""Fixtures for tests of published weights."""

import pytest

from tests.trained.published.rows import cache, register

__all__ = ["cache", "register"]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """Ignores proxies of the environment: test servers run on this machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
