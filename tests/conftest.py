"""Fixtures shared by all tests."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

from tests.quickly import UNOPTIMIZED, flags, forget_first_values, trace_first_values_once

# Commands under test leave no compiled programs in the home of whoever runs the tests.
os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
# Most of the time went to compiling what runs once. XLA reads this when it first compiles, here
# and in what is started from here; flags that are given win.
os.environ["XLA_FLAGS"] = f"{flags(UNOPTIMIZED)} {os.environ.get('XLA_FLAGS', '')}".strip()
# Tracing makes millions of objects that live for long: with the usual thresholds, to look for
# cycles among them over and over takes a good part of the suite's time.
gc.set_threshold(200_000, 50, 1000)
trace_first_values_once()


# Modules of few tests that take long; begun last, they would run while the other workers idle.
FIRST = (
    "test_models.py",
    "convert/test_parity.py",
    "training/test_resume.py",
    "experiments/test_command_lines.py",
    "colab/test_notebooks_run.py",
    "run/test_processes.py",
    "experiments/test_prepare.py",
    "run/test_sharding.py",
    "experiments/test_export.py",
    "experiments/test_explain.py",
    "storage/test_runs.py",
    "storage/test_dask.py",
    "storage/test_training_from_a_bucket.py",
    "test_installed.py",
)


def pytest_configure(config: pytest.Config) -> None:
    """Leaves the order of modules to what stands here, where tests run in several processes."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the longest modules."""
    folder = Path(__file__).parent
    first = {folder / name for name in FIRST}
    items.sort(key=lambda item: item.path not in first)


@pytest.fixture(autouse=True, scope="module")
def forget_programs() -> Iterator[None]:
    """No module of tests pays for what others have traced and compiled."""
    yield
    jax.clear_caches()
    forget_first_values()
    gc.collect()
    # What is left are libraries, and they stay: to look through them after each module would take
    # a tenth of the suite's time.
    gc.freeze()


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
