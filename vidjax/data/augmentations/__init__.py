"""Augmentations by name, one file each. `vidjax.data.extra_augmentations` says what such a file needs."""
