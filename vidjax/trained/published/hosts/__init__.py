"""Kinds of hosts of published weights, one file each.

Each file has three functions of a row of the registry. `takes(row)` tells whether the row is on
this kind of host. `found(row)` returns the file if it is on this machine outside the cache.
`fetch(row)` fetches it, or raises a `WeightsError` that says what the user must do.
"""
