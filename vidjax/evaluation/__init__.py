"""Evaluation: protocols, metrics, significance, reports and costs; networks come as arguments."""

from vidjax.evaluation.significance import McNemar, mcnemar

__all__ = ["McNemar", "mcnemar"]
