"""Configuration files: `--config=NAME[:key=value,...]`."""
