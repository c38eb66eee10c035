"""Shows what trained networks rely on."""
