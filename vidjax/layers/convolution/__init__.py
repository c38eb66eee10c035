"""Algorithms for 3D convolutions, one per file, and the choice between them."""
