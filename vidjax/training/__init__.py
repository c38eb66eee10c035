"""Training of networks: the loop, its step, schedules and logs."""
