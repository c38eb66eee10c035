"""The networks, one file a family, made of the same blocks."""
