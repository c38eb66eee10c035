"""A run: its configuration, network, state, checkpoints and work directory, on its devices."""
