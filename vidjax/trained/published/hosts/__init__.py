"""Kinds of places that published weights lie in, one file each.

A file here has three functions of a row of the registry. `takes(row)` says whether it lies in a
place of this kind, `found(row)` gives the file if it is on this machine outside the cache, and
`fetch(row)` gets it, or raises a `WeightsError` that says what people must do.
"""
