"""Training: state, schedules, step, sharding, checkpoints, the loop and what it reports."""
