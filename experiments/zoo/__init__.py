"""Pages about the networks, written from the registry and the networks' programs."""
