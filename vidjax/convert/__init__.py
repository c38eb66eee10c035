"""PyTorch checkpoints into Flax variables, one file for each source project."""
