"""Who makes the shards of a data set: this machine, Dask's workers, or a runner of Apache Beam.

Each is a file with a function that takes tasks and yields what was made, in any order. Tasks need
no other task, no folder in common with another machine, and no order.
"""


class ClusterError(OSError):
    """A cluster could not do its part; the message says which, and the same command goes on."""
