"""Augmentations by name, one file each. `vidjax.data.augmenting` says what such a file needs."""
