"""Fixtures shared by all tests."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

from tests.quickly import UNOPTIMIZED, flags, forget_first_values, trace_first_values_once

# Commands under test must not write compiled programs into the home folder of the user.
os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
# Most of the time would go into compiling programs that run once. XLA reads this variable when it
# first compiles, here and in child processes. Flags that the user has set take precedence.
os.environ["XLA_FLAGS"] = f"{flags(UNOPTIMIZED)} {os.environ.get('XLA_FLAGS', '')}".strip()
# Tracing makes millions of long-lived objects. With the default thresholds, the repeated search for
# cycles among them takes a large part of the suite's time.
gc.set_threshold(200_000, 50, 1000)
trace_first_values_once()


# Modules with few slow tests. If they started last, the other workers would be idle meanwhile.
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
    """Keeps the order of modules that is set here if tests run in several processes."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts the slowest modules to the front."""
    folder = Path(__file__).parent
    first = {folder / name for name in FIRST}
    items.sort(key=lambda item: item.path not in first)


@pytest.fixture(autouse=True, scope="module")
def forget_programs() -> Iterator[None]:
    """Clears JAX's caches after each module, so that memory does not grow with the suite."""
    yield
    jax.clear_caches()
    forget_first_values()
    gc.collect()
    # The remaining objects belong to libraries and stay. Collecting them after each module would
    # take a tenth of the suite's time.
    gc.freeze()


def shared_folder() -> Path:
    """Returns the folder with reference clips and golden files, which a user's clone may lack."""
    return Path(os.environ.get("VIDJAX_SHARED", Path(__file__).parents[1] / "../shared")).resolve()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Returns the path of the reference data, or skips the test with the reason."""
    folder = shared_folder()
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder}; name it with VIDJAX_SHARED")
    return folder
