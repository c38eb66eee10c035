"""Calls all metric writers of a run as one. A failing writer does not stop the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vidjax import plugins
from vidjax.installed_packages import is_installed
from vidjax.plugins import PluginError
from vidjax.records import RecordError
from vidjax.run.config import Config, ConfigError
from vidjax.storage.paths import is_url
from vidjax.storage.writing import LinkError
from vidjax.training import writers
from vidjax.training.writers import Writer

# Errors about files in the run's folder, which the user can fix.
_TO_MEND = (ConfigError, RecordError, LinkError)


def check_writers(names: Sequence[str], workdir: Path | None = None) -> None:
    """Refuses writers that cannot work, before anything else is done.

    Args:
      names: names of the writers.
      workdir: work directory of the run, if it is known.

    Raises:
      ConfigError: a writer is unknown, needs a package that is not installed, or cannot write to a
        bucket. The message says what to do.
    """
    for name in names:
        module = _load(name, names)
        if workdir is not None and is_url(workdir) and getattr(module, "ON_DISK", False):
            raise ConfigError(
                f"the writer {name} writes local files, but {workdir} is in a bucket: remove it "
                "from `writers`, or use a local --workdir"
            )
        needs = getattr(module, "NEEDS", "")
        if needs and not is_installed(needs):
            install = getattr(module, "INSTALL", needs)
            raise ConfigError(
                f"the writer {name} needs the package {needs}: pip install '{install}'"
            )


class OpenWriters:
    """Several writers as one. A failing writer is reported once and is not called again.

    Args:
      config: configuration of the run, which names its `writers`.
      workdir: work directory of the run.
      step: step that the run resumes after.
      say: prints failures.

    Raises:
      ConfigError: a writer is unknown, or something in the run's folder blocks it.
      LinkError: a link in the run's folder blocks a writer.
      RecordError: a damaged file in the run's folder blocks a writer.
    """

    def __init__(
        self, config: Config, workdir: Path, step: int, say: Callable[[str], None]
    ) -> None:
        self._say = say
        self._open: dict[str, Writer] = {}
        for name in config.writers:
            module = _load(name, config.writers)
            try:
                self._open[name] = module.open(workdir, step, config)
            except _TO_MEND:
                raise
            except Exception as error:
                self._report(name, error)

    def write(self, step: int, split: str, numbers: Mapping[str, float]) -> None:
        """As in `Writer`."""
        self._each(lambda writer: writer.write(step, split, numbers))

    def flush(self) -> None:
        """As in `Writer`."""
        self._each(lambda writer: writer.flush())

    def close(self) -> None:
        """As in `Writer`."""
        self._each(lambda writer: writer.close())

    def _each(self, call: Callable[[Writer], None]) -> None:
        for name, writer in list(self._open.items()):
            try:
                call(writer)
            except Exception as error:
                del self._open[name]
                self._report(name, error)

    def _report(self, name: str, error: Exception) -> None:
        reason = " ".join(str(error).split())[:300]
        self._say(
            f"the writer {name} failed and is off until the run is started again; the run "
            f"continues, and metrics.jsonl has everything ({type(error).__name__}: {reason})"
        )


def _load(name: str, names: Sequence[str]) -> Any:
    try:
        return plugins.load(writers, name, "writer")
    except PluginError as error:
        raise ConfigError(f"writers = {tuple(names)!r}: {error}") from None
