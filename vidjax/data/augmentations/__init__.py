"""Augmentations by name, a file each. `vidjax/data/augmenting.py` says what such a file has."""
