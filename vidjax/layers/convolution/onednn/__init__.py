"""Convolutions on a CPU by oneDNN, called from compiled programs through XLA's FFI.

The library comes as a wheel (`onednn-cpu-gomp`); nothing here is compiled. Without it, or where it
cannot be loaded, the other algorithms of `vidjax.layers.convolution` take its place.
"""
