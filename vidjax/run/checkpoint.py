"""Checkpoints of a run: the state, the data iterator and the clock, saved together atomically."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import jax
import msgspec
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from vidjax import records
from vidjax.array_paths import check_array_path
from vidjax.array_validation import ArrayFilesError, check_arrays, check_files
from vidjax.run import checksums
from vidjax.run.machine_errors import MachineError, of_machine
from vidjax.run.processes import after_first, is_first
from vidjax.storage import retries
from vidjax.storage.leases import check_lease
from vidjax.storage.local_copies import local_folder_copy, remove_folder
from vidjax.storage.paths import for_libraries, is_url
from vidjax.storage.writing import make_folder, refuse_link, remove_unfinished
from vidjax.terminal import complain, without_absl_warnings

Run = dict[str, Any]
_STATE, _RUN = "state", "run"
# Orbax writes this file last on storage that cannot rename folders.
_COMMITTED = "commit_success.txt"


# The score: a share of videos, or a negated loss.
Score = Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)]


class CheckpointError(ValueError):
    """The checkpoint is absent or cannot be read."""


class RemovedError(CheckpointError):
    """A run that is training has removed the checkpoint, to keep a newer one."""


class _Best(msgspec.Struct):
    """The step of the best checkpoint, and its score."""

    step: records.Count
    score: Score


def read_best(file: Path) -> tuple[int, float]:
    """Reads the best step so far, and its score.

    Raises:
      RecordError: the file is damaged.
      OSError: the file cannot be read.
    """
    best = records.read(
        file,
        _Best,
        "move it away; the next evaluation in training writes a new one, and a step or 'last' "
        "works without it",
    )
    return best.step, best.score


class Checkpoints:
    """The checkpoints of a work directory: the most recent ones and the best one.

    Each holds the training state, a small `run` record (data iterator, clock) and checksums of its
    files. It gets its step number as a name only when it is complete and was read back.

    Args:
      directory: folder of the checkpoints; created if absent.
      keep: how many recent ones to keep, besides the best one.
      read_only: writes and removes nothing, for use beside a run that may be writing.
      say: called with warnings.

    Raises:
      ArrayPathError: checkpoints cannot be stored at that path.
      RecordError: the file that names the best checkpoint is damaged.
    """

    def __init__(
        self,
        directory: Path,
        keep: int = 2,
        *,
        read_only: bool = False,
        say: Callable[[str], None] = complain,
    ) -> None:
        self._directory = directory.absolute()
        self._say = say
        check_array_path(self._directory, read_only=read_only)
        self._best_file = self._directory / "best.json"
        self._best: tuple[int | None, float] | None = None
        self._saving: int | None = None
        self._failed = False
        if read_only:
            options = ocp.CheckpointManagerOptions(
                read_only=True, create=False, save_interval_steps=0
            )
        else:
            after_first(self._tidy, "opening the checkpoints")
            self._best = self._read_best()
            options = ocp.CheckpointManagerOptions(
                preservation_policy=_RecentAndBest(keep, self.best_step),
                async_options=ocp.AsyncOptions(
                    post_finalization_callback=self._finish, barrier_sync_fn=self._meet
                ),
            )
        retries.limit_retries()
        # Orbax warns that the folder is opened only for reading, which is intended.
        with without_absl_warnings():
            place = for_libraries(self._directory)
            self._manager = ocp.CheckpointManager(place, options=options)

    def steps(self) -> list[int]:
        """Returns the steps of the complete checkpoints, ascending."""
        return sorted(self._manager.all_steps())

    def best_step(self) -> int | None:
        """Returns the step of the checkpoint with the best evaluation; None before the first."""
        return (self._best or self._read_best())[0]

    def best_score(self) -> float:
        """Returns the score of the best checkpoint; minus infinity before the first evaluation."""
        return (self._best or self._read_best())[1]

    def save(self, step: int, state: Any, run: Run) -> None:
        """Starts saving a checkpoint; the arrays are copied before this returns.

        Raises:
          MachineError: this checkpoint, or the one before, could not be written.
        """
        items = ocp.args.Composite(
            **{_STATE: ocp.args.StandardSave(state), _RUN: ocp.args.JsonSave(run)}
        )
        self.wait()
        self._saving = step
        with self._writing():
            check_lease(str(self._directory))
            self._manager.save(step, args=items)

    def mark_best(self, step: int, score: float) -> None:
        """Makes the checkpoint of `step` the one that `best` means."""
        self.wait()
        # Kept in memory too, because another process may see the file late.
        self._best = (step, score)
        if is_first():
            records.write(self._best_file, {"step": step, "score": score})

    def _read_best(self) -> tuple[int | None, float]:
        if not self._best_file.is_file():
            return None, float("-inf")
        return read_best(self._best_file)

    def _tidy(self) -> None:
        """Creates the folder, and removes what a killed process left of a checkpoint.

        Raises:
          LinkError: a part of it is a link; removing old files must not touch somebody else's.
        """
        make_folder(self._directory, self._directory.parent)
        if is_url(self._directory) and not self._directory.is_dir():
            return
        for each in self._directory.iterdir():
            refuse_link(each)
        if is_first():
            remove_unfinished(self._directory, owned=True)
            for folder in self._unfinished():
                remove_folder(folder)

    def _unfinished(self) -> list[Path]:
        """Returns the folders of checkpoints that a killed process began."""
        if not is_url(self._directory):
            return list(self._directory.glob("*.orbax-checkpoint-tmp*"))
        folders = [each for each in self._directory.iterdir() if each.name.isdecimal()]
        return [each for each in folders if not (each / _COMMITTED).is_file()]

    def _finish(self) -> None:
        """Reads the new checkpoint back and adds checksums; runs in process 0, in Orbax's thread.

        Orbax gives the folder its final name afterwards, so it appears with its checksums.
        """
        unfinished = sorted(self._directory.glob(f"{self._saving}.orbax-checkpoint-tmp*"))
        folder = unfinished[0] if unfinished else self._directory / str(self._saving)
        handler = ocp.StandardCheckpointHandler()
        try:
            handler.metadata(for_libraries(folder / _STATE))
        # Orbax raises whatever its readers raise on files that it cannot read.
        except Exception as error:
            raise CheckpointError(
                f"checkpoint {self._saving} in {self._directory} was written, but cannot be read "
                f"back ({_first_line(error)}); name another --workdir"
            ) from error
        finally:
            handler.close()
        checksums.seal(folder)

    def _meet(self, **given: Any) -> None:
        """Waits for the other processes, as Orbax does by default, unless saving has failed.

        In the process where saving failed, Orbax calls this in a `finally` while the error
        propagates. The others are waiting for something else then, and all would hang for 20
        minutes.
        """
        in_background = threading.current_thread() is not threading.main_thread()
        if in_background and sys.exception() is not None:
            self._failed = True
        else:
            ocp.multihost.get_barrier_sync_fn()(**given)

    def check(self) -> None:
        """Returns at once; raises if saving has failed in this process.

        Raises:
          MachineError: the checkpoint could not be written.
        """
        if self._failed:
            self.wait()

    def wait(self) -> None:
        """Waits until everything started is on disk.

        Raises:
          MachineError: the checkpoint could not be written.
        """
        with self._writing():
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits until everything is saved, then frees the manager's threads.

        Raises:
          MachineError: something could not be written.
        """
        try:
            self.wait()
        finally:
            with self._writing():
                self._manager.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Distinguishes errors of the machine from bugs, whatever exception Orbax makes of them."""
        try:
            yield
        except Exception as error:
            if (reason := of_machine(error)) is None:
                raise
            raise MachineError(
                f"checkpoint {self._saving} could not be written to {self._directory}: {reason}. "
                f"{self._whole()}; after fixing that, resume with the same command"
            ) from error

    def _whole(self) -> str:
        steps = [step for step in self.steps() if step != self._saving]
        return f"Checkpoints {steps} are intact" if steps else "There is none before it"

    def resolve(self, which: str) -> int:
        """Returns the step that `best`, `last` or a number means.

        Raises:
          CheckpointError: the checkpoint does not exist; lists those that do.
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
        """Reads a checkpoint into arrays with the shapes, dtypes and shardings of `like`.

        Raises:
          RemovedError: the checkpoint was removed.
          CheckpointError: it is damaged or belongs to another network; says what to do.
        """
        after_first(lambda: self._verify(step, like), "checking the checkpoint")
        items = ocp.args.Composite(
            **{_STATE: ocp.args.StandardRestore(like), _RUN: ocp.args.JsonRestore()}
        )
        try:
            restored = self._manager.restore(step, args=items)
        # Orbax raises whatever its readers raise on damaged files, even a bare Exception.
        except Exception as error:
            self._refuse_removed(step)
            raise CheckpointError(
                f"checkpoint {step} in {self._directory} cannot be read: it is damaged or "
                f"belongs to another network ({_first_line(error)}). {self._others(step)}"
            ) from error
        return restored[_STATE], restored[_RUN]

    def _verify(self, step: int, like: Any) -> None:
        """Checks the files' checksums, and their claims against `like`, in process 0 only."""
        if not is_first():
            return
        self._refuse_removed(step)
        # A bucket's files are fetched first, because checking reads them at many places.
        with contextlib.ExitStack() as stack:
            try:
                folder = stack.enter_context(local_folder_copy(self._directory / str(step)))
            except FileNotFoundError:
                self._refuse_removed(step)
                raise
            self._verify_files(step, folder, like)

    def _verify_files(self, step: int, folder: Path, like: Any) -> None:
        self._looking(step, lambda: check_files(folder))
        try:
            if not checksums.verify(folder):
                self._say(
                    f"checkpoint {step} has no checksums: an older version wrote it, so damage "
                    "may go unnoticed"
                )
        except (checksums.DamageError, FileNotFoundError) as error:
            self._refuse_removed(step)
            raise CheckpointError(
                f"checkpoint {step} in {self._directory} cannot be used: {error}. "
                f"{self._others(step)}"
            ) from None
        self._looking(step, lambda: check_arrays(folder / _STATE, _shapes(like)))

    def _looking(self, step: int, look: Callable[[], object]) -> None:
        try:
            look()
        except (ArrayFilesError, OSError) as error:
            self._refuse_removed(step)
            raise CheckpointError(
                f"checkpoint {step} in {self._directory} cannot be read: it is damaged or "
                f"belongs to another network ({error}). {self._others(step)}"
            ) from None

    def _refuse_removed(self, step: int) -> None:
        if not (self._directory / str(step)).is_dir():
            raise RemovedError(
                f"checkpoint {step} in {self._directory} was removed while it was being read: a "
                "run in training keeps only the newest. The same command takes a newer one"
            )

    def _others(self, step: int) -> str:
        """Suggests other checkpoints, as the end of an error message."""
        others = [other for other in self.steps() if other != step]
        if not others:
            return "There is no other: train again in another --workdir"
        return (
            f"There are {others}: use one with --checkpoint={others[-1]}. To resume training from "
            f"it, move the folder {step} away"
        )


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


def _shapes(like: Any) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of a tree's arrays, under Orbax's names for them."""
    leaves = jax.tree_util.tree_leaves_with_path(like)
    return {jax.tree_util.keystr(path, simple=True, separator="."): x.shape for path, x in leaves}


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
