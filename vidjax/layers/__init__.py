"""The operators networks are made of: convolution, normalisation, pooling."""
