"""Trains the runs of a plan, each in its own process, resumes them and summarises the results.

`reproduce` and `sweep` plan such runs and tabulate them, each in its own way.
"""
