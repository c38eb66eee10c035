"""Convolutions on a CPU by oneDNN, called from compiled programs through XLA's FFI.

The library comes as a wheel (`onednn-cpu-gomp`); nothing is compiled at installation. If it is
absent or cannot be loaded, the other algorithms of `vidjax.layers.convolution` are used.
"""
