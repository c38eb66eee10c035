"""Augmentations by name, a file each.

`vidjax/data/extra_augmentations.py` says what such a file has.
"""
