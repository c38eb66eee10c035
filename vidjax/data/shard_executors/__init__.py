"""Where the shards of a data set are written: on this machine, by Dask workers, or by Apache Beam.

Each file has a function that takes tasks and yields the finished shards in any order. Tasks are
independent of each other and need no folder shared between machines.
"""


class ClusterError(OSError):
    """A cluster failed. The message says how; the same command resumes."""
