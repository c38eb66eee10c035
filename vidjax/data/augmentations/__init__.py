"""Augmentations by name, one file each, as `vidjax.data.extra_augmentations` documents."""
