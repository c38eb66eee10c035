"""Helpers for tests that compare runs on a disk with runs in a bucket."""

from tests.commands import run_command

SETTINGS = (
    "--config=configs/folder.py:width=4",
    "--config.model.options.depths=(1,0,0,0)",
    "--config.model.options.stem_kernel=(1,3,3)",
    "--config.clip.frames=2",
    "--config.clip.size=16",
    "--config.data.short_side=24",
    "--config.data.threads=1",
    "--config.data.workers=1",
    "--config.eval.size=16",
    "--config.eval.crops=3",
    "--config.eval.batch_size=4",
    "--config.train.batch_size=4",
    "--config.train.duration=4 steps",
    "--config.train.class_weights=balanced",
    "--config.every.log=2 steps",
    "--config.every.checkpoint=2 steps",
    "--config.writers=('tensorboard','csv')",
)


class Place:
    """The location of runs and videos: a disk or a bucket."""

    def __init__(self, root, environment):
        self.root, self._environment = root, environment

    def call(self, name, *arguments):
        return run_command(f"experiments.{name}", *arguments, **self._environment)

    def ok(self, name, *arguments):
        done = self.call(name, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout
