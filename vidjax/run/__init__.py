"""A training run: its configuration, network, state, checkpoints, work directory and devices."""
