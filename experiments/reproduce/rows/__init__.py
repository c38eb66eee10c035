"""Rows that several tables share, and the systems that they are of."""
