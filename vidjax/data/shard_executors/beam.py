"""Writes shards with an Apache Beam runner, such as those of Dataflow, Flink and Spark.

The pipeline is a single map. Results are returned through record files beside the data set. Only
the tasks pass through Beam, so no frames are shuffled between its workers.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from vidjax import records
from vidjax.data.catalog import Beam
from vidjax.data.decoded_cache import DecodedCache
from vidjax.data.shard_executors import ClusterError
from vidjax.data.shard_writer import Made, MismatchError, Task, make, recorded
from vidjax.storage.local_copies import scratch
from vidjax.storage.paths import as_path
from vidjax.storage.writing import make_folder

_MISMATCH = re.compile(r"a worker runs other code than the command: [^\n\[]*\b")
# The last line of a traceback.
_ERROR = re.compile(r"[\w.]+(Error|Exception|Exit|Interrupt)\b")
_LONGEST = 500
# Small files read or written concurrently: most of the time is spent waiting.
_AT_ONCE = 16


def make_with_beam(tasks: Sequence[Task], beam: Beam) -> Iterator[Made]:
    """Writes all shards with Beam.

    Args:
      tasks: the shards.
      beam: the runner.

    Raises:
      ValueError: Apache Beam is not installed.
      ClusterError: the runner failed, or a shard that it wrote is missing.
    """
    try:
        import apache_beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError:
        raise ValueError("Apache Beam is not installed: pip install 'vidjax[beam]'") from None
    # Dataflow limits pipelines to 10 MB, so workers read their tasks from files.
    folder = _write_tasks(tasks)
    options = PipelineOptions(list(beam.options))
    with (
        _in_one_line(beam.runner),
        apache_beam.Pipeline(runner=beam.runner, options=options) as pipeline,
    ):
        numbers = pipeline | "Shards" >> apache_beam.Create(range(len(tasks)))
        # Without it, a runner may run all tasks in the one process that has the list.
        spread = numbers | "Spread" >> apache_beam.Reshuffle()
        _ = spread | "Make" >> apache_beam.Map(_make, folder)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(recorded, tasks)
    for task, made in zip(tasks, found, strict=True):
        if made is None:
            raise ClusterError(f"{task.record}, written by {beam.runner}, cannot be read back")
        yield made


def _write_tasks(tasks: Sequence[Task]) -> str:
    """Writes one file per task beside the shard records; returns their folder."""
    folder = make_folder(as_path(tasks[0].made).with_name("tasks"))

    def write(number: int) -> None:
        records.write(folder / f"{number}.json", msgspec.to_builtins(tasks[number]))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(write, range(len(tasks))))
    return str(folder)


def _make(number: int, folder: str) -> str:
    """Writes one shard; runs on a worker."""
    task = records.read(as_path(folder) / f"{number}.json", Task, "run the command again")
    with scratch() as place:
        return make(task, DecodedCache(place), workers=1).file


@contextlib.contextmanager
def _in_one_line(runner: str) -> Iterator[None]:
    """Turns the worker traceback in a runner's error into a one-line error.

    Raises:
      MismatchError: a worker runs another version of the code.
      ClusterError: the job failed in another way.
    """
    try:
        yield
    except Exception as error:
        text = str(error)
        if found := _MISMATCH.search(text):
            raise MismatchError(found[0]) from None
        lines = [line.strip() for line in text.splitlines() if _ERROR.match(line.strip())]
        what = lines[-1] if lines else next(iter(text.splitlines()), type(error).__name__)
        raise ClusterError(f"{runner} failed: {what[:_LONGEST]}") from None
