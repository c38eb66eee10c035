"""The layers of networks: convolution, normalisation, pooling and others."""
