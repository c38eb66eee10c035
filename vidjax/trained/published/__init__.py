"""Weights that projects have published: which there are, where they lie, how they are opened.

`checkpoints.json` is the registry, one row a checkpoint; `row.Checkpoint` says what its fields
mean. `classes/` has the names of their classes, in the order of the logits.
"""
