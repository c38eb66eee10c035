"""Where files lie: one module knows disks and buckets."""
