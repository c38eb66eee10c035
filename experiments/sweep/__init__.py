"""Sweeps: a configuration trained with many settings and seeds, and which of them is best."""
