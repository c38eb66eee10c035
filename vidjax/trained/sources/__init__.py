"""Where trained networks come from, one file a kind of source.

A file here has a function `find(wanted: Wanted) -> Trained | None`: the network, if what is wanted
is of its kind. A new file is found by itself.
"""
