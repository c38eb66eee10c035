"""Weights that projects have published: a registry of them, and how to fetch and open them.

`checkpoints.json` is the registry, with one row per checkpoint; `checkpoint.Checkpoint` describes
its fields. `classes/` has the class names, in the order of the logits.
"""
