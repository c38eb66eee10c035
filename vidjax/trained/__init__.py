"""Trained networks: opening them, whoever trained them, and using them."""
