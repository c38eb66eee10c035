"""Configuration files: `--config=configs/NAME.py[:key=value,...]`."""
