"""Settings that several ways of explaining have in common."""

from absl import flags

CHECKPOINT = flags.DEFINE_string("checkpoint", "last", "a step, best or last")
