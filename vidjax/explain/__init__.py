"""Explaining what networks rely on; networks come as arguments."""

from vidjax.explain.frequency import scaled_parts

__all__ = ["scaled_parts"]
