"""Figures of the works: schedules, starts of clips, selected frames, and curves of training."""
