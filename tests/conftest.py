"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest


def shared_folder() -> Path:
    """The folder with reference clips and golden files; it may be absent in a user's clone."""
    return Path(os.environ.get("VIDJAX_SHARED", Path(__file__).parents[1] / "../shared")).resolve()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Path to the reference data, or a skip with the reason."""
    folder = shared_folder()
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder}; name it with VIDJAX_SHARED")
    return folder
