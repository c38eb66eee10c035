"""Rows that several tables share, and their networks."""
