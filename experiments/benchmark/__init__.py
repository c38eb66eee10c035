"""Measures speed, as ratios to named competitors in the same run."""
