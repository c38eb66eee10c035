"""Augmentations by name, one file each. `vidjax.data.augmenting` documents what such a file needs."""
