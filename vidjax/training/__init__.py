"""Training: the loop, its steps, and what it reports."""
