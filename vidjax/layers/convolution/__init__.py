"""The algorithms in which a 3D convolution is computed, one a file, and the choice between them."""
