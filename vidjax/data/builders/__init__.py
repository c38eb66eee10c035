"""TFDS builders: one small class a data set, over a common prepared form."""
