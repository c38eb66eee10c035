"""Converts PyTorch checkpoints to Flax variables, with one file for each source project."""
