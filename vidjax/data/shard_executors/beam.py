"""Shards made by a runner of Apache Beam, such as those of Dataflow, Flink and Spark.

The pipeline is one map. What is made is said by the records beside the data set, so that nothing
but the tasks goes through Beam: no frames are shuffled between its workers.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from vidjax import records
from vidjax.data.catalog import Beam
from vidjax.data.decoded_cache import Spool
from vidjax.data.shard_executors import ClusterError
from vidjax.data.shard_writer import Made, MismatchError, Task, make, recorded
from vidjax.storage.local_copies import scratch
from vidjax.storage.paths import as_path
from vidjax.storage.writing import make_folder

_MISMATCH = re.compile(r"a worker runs other code than the command: [^\n\[]*\b")
# The last line of a traceback.
_ERROR = re.compile(r"[\w.]+(Error|Exception|Exit|Interrupt)\b")
_LONGEST = 500
# Small files read or written at once: each mostly waits.
_AT_ONCE = 16


def make_with_beam(tasks: Sequence[Task], beam: Beam) -> Iterator[Made]:
    """Makes all shards.

    Args:
      tasks: the shards.
      beam: the runner.

    Raises:
      ValueError: Apache Beam is not installed.
      ClusterError: the runner has failed, or what it has made is not there.
    """
    try:
        import apache_beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError:
        raise ValueError("Apache Beam is not installed: pip install 'vidjax[beam]'") from None
    # Dataflow takes no pipeline of more than 10 MB: workers read what they have to do.
    folder = _write_tasks(tasks)
    options = PipelineOptions(list(beam.options))
    with (
        _in_one_line(beam.runner),
        apache_beam.Pipeline(runner=beam.runner, options=options) as pipeline,
    ):
        numbers = pipeline | "Shards" >> apache_beam.Create(range(len(tasks)))
        # Without it a runner makes all in the one process that has the list.
        spread = numbers | "Spread" >> apache_beam.Reshuffle()
        _ = spread | "Make" >> apache_beam.Map(_make, folder)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(recorded, tasks)
    for task, made in zip(tasks, found, strict=True):
        if made is None:
            raise ClusterError(f"{task.record} was made by {beam.runner}, and cannot be read back")
        yield made


def _write_tasks(tasks: Sequence[Task]) -> str:
    """Writes a file for each task beside the records of what is made; returns their folder."""
    folder = make_folder(as_path(tasks[0].made).with_name("tasks"))

    def write(number: int) -> None:
        records.write(folder / f"{number}.json", msgspec.to_builtins(tasks[number]))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(write, range(len(tasks))))
    return str(folder)


def _make(number: int, folder: str) -> str:
    """On a worker."""
    task = records.read(as_path(folder) / f"{number}.json", Task, "start the command again")
    with scratch() as place:
        return make(task, Spool(place), workers=1).file


@contextlib.contextmanager
def _in_one_line(runner: str) -> Iterator[None]:
    """Says in one line what a runner tells by the traceback of a worker, as a text.

    Raises:
      MismatchError: a worker runs other code.
      ClusterError: the job has failed in another way.
    """
    try:
        yield
    except Exception as error:
        text = str(error)
        if found := _MISMATCH.search(text):
            raise MismatchError(found[0]) from None
        lines = [line.strip() for line in text.splitlines() if _ERROR.match(line.strip())]
        what = lines[-1] if lines else next(iter(text.splitlines()), type(error).__name__)
        raise ClusterError(f"{runner} has failed: {what[:_LONGEST]}") from None
