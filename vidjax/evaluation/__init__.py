"""Evaluation: protocols, metrics, reports and costs; networks come in as arguments."""
