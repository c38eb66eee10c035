"""Fixtures of the tests of published weights."""

from tests.trained.published.rows import cache, register

__all__ = ["cache", "register"]
