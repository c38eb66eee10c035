"""Figures of the papers: multigrid shapes, clip starts, selected frames, training curves."""
