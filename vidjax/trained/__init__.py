"""Trained networks, whoever trained them: opening and using them."""
