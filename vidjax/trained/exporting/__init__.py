"""Exporting a trained network to files that need neither vidjax nor Flax."""
