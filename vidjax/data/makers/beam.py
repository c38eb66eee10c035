"""Shards made by a runner of Apache Beam, such as those of Dataflow, Flink and Spark.

The pipeline is one map. What is made is said by the records beside the data set, so that nothing
but the tasks goes through Beam: no frames are shuffled between its workers.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from vidjax.data.catalog import Beam
from vidjax.data.shard_making import Made, MismatchError, Task, make, recorded
from vidjax.data.spool import Spool

_MISMATCH = re.compile(r"a worker runs other code than the command: [^\n\[]*\b")
# The last line of a traceback.
_ERROR = re.compile(r"[\w.]+(Error|Exception|Exit|Interrupt)\b")
_LONGEST = 500


def make_with_beam(tasks: Sequence[Task], beam: Beam) -> Iterator[Made]:
    """Makes all shards.

    Args:
      tasks: the shards.
      beam: the runner.

    Raises:
      ValueError: Apache Beam is not installed.
      OSError: a shard that the runner has made is not there.
    """
    try:
        import apache_beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError:
        raise ValueError("Apache Beam is not installed: pip install 'vidjax[beam]'") from None
    options = PipelineOptions(list(beam.options))
    with (
        _in_one_line(beam.runner),
        apache_beam.Pipeline(runner=beam.runner, options=options) as pipeline,
    ):
        shards = pipeline | "Shards" >> apache_beam.Create(list(tasks))
        # Without it a runner makes all in the one process that has the list.
        spread = shards | "Spread" >> apache_beam.Reshuffle()
        _ = spread | "Make" >> apache_beam.Map(_make)
    for task in tasks:
        made = recorded(task)
        if made is None:
            raise OSError(f"{task.record} was made by {beam.runner}, and cannot be read back")
        yield made


def _make(task: Task) -> str:
    with tempfile.TemporaryDirectory(prefix="vidjax-") as scratch:
        return make(task, Spool(Path(scratch)), workers=1).file


@contextlib.contextmanager
def _in_one_line(runner: str) -> Iterator[None]:
    """Says in one line what a runner tells by the traceback of a worker, as a text.

    Raises:
      MismatchError: a worker runs other code.
      OSError: the job has failed in another way.
    """
    try:
        yield
    except Exception as error:
        text = str(error)
        if found := _MISMATCH.search(text):
            raise MismatchError(found[0]) from None
        lines = [line.strip() for line in text.splitlines() if _ERROR.match(line.strip())]
        what = lines[-1] if lines else next(iter(text.splitlines()), type(error).__name__)
        raise OSError(f"{runner} has failed: {what[:_LONGEST]}") from None
