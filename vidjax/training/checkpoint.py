"""Checkpoints: the state, the data iterator and the clock, written atomically, together."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from vidjax.training.processes import after_first, is_first

Run = dict[str, Any]


class CheckpointError(ValueError):
    """A checkpoint is absent or cannot be read."""


class Checkpoints:
    """The checkpoints of a work directory: the most recent ones and the best.

    Each holds the training state and a small `run` record (data iterator, clock), and appears
    under its step number only once it is complete.

    Args:
      directory: folder of the checkpoints; made if absent.
      keep: how many recent ones stay; the best one stays besides.
    """

    def __init__(self, directory: Path, keep: int = 2) -> None:
        self._directory = directory.absolute()
        self._best_file = self._directory / "best.json"
        after_first(self._tidy, f"opening {self._directory}")
        self._best = self._read_best()
        options = ocp.CheckpointManagerOptions(
            preservation_policy=_RecentAndBest(keep, self.best_step)
        )
        self._manager = ocp.CheckpointManager(self._directory, options=options)

    def steps(self) -> list[int]:
        """Steps of the complete checkpoints, ascending."""
        return sorted(self._manager.all_steps())

    def best_step(self) -> int | None:
        """Step of the checkpoint with the best evaluation, or None before the first."""
        return self._best[0]

    def best_score(self) -> float:
        """Score of the best checkpoint; minus infinity before the first evaluation."""
        return self._best[1]

    def save(self, step: int, state: Any, run: Run) -> None:
        """Starts to write a checkpoint; the arrays are copied before this returns."""
        items = ocp.args.Composite(state=ocp.args.StandardSave(state), run=ocp.args.JsonSave(run))
        self._manager.save(step, args=items)

    def mark_best(self, step: int, score: float) -> None:
        """Makes the checkpoint of `step` the one that `best` means."""
        self.wait()
        # Kept here too: another process may see the file late.
        self._best = (step, score)
        if is_first():
            unfinished = self._best_file.with_suffix(".tmp")
            unfinished.write_text(json.dumps({"step": step, "score": score}))
            unfinished.replace(self._best_file)

    def _read_best(self) -> tuple[int | None, float]:
        if not self._best_file.is_file():
            return None, float("-inf")
        best = json.loads(self._best_file.read_text())
        return int(best["step"]), float(best["score"])

    def _tidy(self) -> None:
        """Makes the folder, without what a killed process left of a checkpoint."""
        self._directory.mkdir(parents=True, exist_ok=True)
        if is_first():
            for folder in self._directory.glob("*.orbax-checkpoint-tmp*"):
                shutil.rmtree(folder)

    def wait(self) -> None:
        """Returns when everything started is on disk."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits, then frees the manager's threads."""
        self._manager.wait_until_finished()
        self._manager.close()

    def resolve(self, which: str) -> int:
        """The step that `best`, `last` or a number means.

        Raises:
          CheckpointError: there is no such checkpoint; those that exist are listed.
        """
        steps = self.steps()
        if which == "last":
            step = steps[-1] if steps else None
        elif which == "best":
            step = self.best_step() if self.best_step() is not None else self._last()
        elif which.isdecimal():
            step = int(which)
        else:
            raise CheckpointError(f"checkpoint {which!r}: a step number, 'best' or 'last'")
        if step is None or step not in steps:
            raise CheckpointError(f"no checkpoint {which!r} in {self._directory}; it has {steps}")
        return step

    def _last(self) -> int | None:
        return self.steps()[-1] if self.steps() else None

    def restore(self, step: int, like: Any) -> tuple[Any, Run]:
        """Reads a checkpoint into arrays of the shapes, dtypes and shardings of `like`.

        Raises:
          CheckpointError: it is damaged or belongs to another network; says what to do.
        """
        items = ocp.args.Composite(state=ocp.args.StandardRestore(like), run=ocp.args.JsonRestore())
        try:
            restored = self._manager.restore(step, args=items)
        # Orbax answers damage with whatever its readers raise, a bare Exception among it.
        except Exception as error:
            others = [other for other in self.steps() if other != step]
            raise CheckpointError(
                f"checkpoint {step} in {self._directory} cannot be read: it is damaged or of "
                f"another network ({_first_line(error)}). Move the folder {step} away to use "
                f"another; there are {others}"
            ) from error
        return restored.state, restored.run


class _RecentAndBest(checkpoint_managers.PreservationPolicy):
    """Keeps the last `keep` checkpoints and the best one."""

    def __init__(self, keep: int, best_step: Any) -> None:
        self._keep = keep
        self._best_step = best_step

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> Sequence[bool]:
        del context
        steps = [info.step for info in checkpoints]
        kept = {*steps[-self._keep :], self._best_step()}
        return [step in kept for step in steps]


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
