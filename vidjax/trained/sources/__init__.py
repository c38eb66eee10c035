"""Sources of trained networks, one file for each kind.

Each file has a function `find(wanted: WeightsName) -> Trained | None`. It returns the network if
the requested weights are of its kind. New files are found automatically.
"""
