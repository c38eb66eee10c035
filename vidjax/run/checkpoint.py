"""Checkpoints: the state, the data iterator and the clock, written atomically, together."""

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
from absl import logging
from orbax.checkpoint import checkpoint_managers

from vidjax import records
from vidjax.array_paths import check_place
from vidjax.array_validation import ArrayFilesError, check_arrays, check_files
from vidjax.run import checksums
from vidjax.run.machine_errors import MachineError, of_machine
from vidjax.run.processes import after_first, is_first
from vidjax.storage import retries
from vidjax.storage.leases import assure
from vidjax.storage.local_copies import folder_here, remove_folder
from vidjax.storage.paths import for_libraries, is_url
from vidjax.storage.writing import make_folder, refuse_link, sweep
from vidjax.terminal import complain

Run = dict[str, Any]
_STATE, _RUN = "state", "run"
# Orbax writes it last where folders cannot be renamed.
_COMMITTED = "commit_success.txt"


# A share of videos, or a loss with its sign turned.
Score = Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)]


class CheckpointError(ValueError):
    """A checkpoint is absent or cannot be read."""


class RemovedError(CheckpointError):
    """A run that trains has removed the checkpoint, to keep a newer one."""


class _Best(msgspec.Struct):
    """Which step was the best, and how good."""

    step: records.Count
    score: Score


def read_best(file: Path) -> tuple[int, float]:
    """The best step so far, and its score.

    Raises:
      RecordError: the file is damaged.
      OSError: it cannot be read.
    """
    best = records.read(
        file,
        _Best,
        "move it away; the next evaluation in training writes a new one, and a step or 'last' "
        "needs none",
    )
    return best.step, best.score


class Checkpoints:
    """The checkpoints of a work directory: the most recent ones and the best.

    Each holds the training state, a small `run` record (data iterator, clock) and checksums of its
    files, and appears under its step number only once it is complete and was read back.

    Args:
      directory: folder of the checkpoints; made if absent.
      keep: how many recent ones stay; the best one stays besides.
      read_only: writes, tidies and removes nothing, beside a run that may be writing.
      say: told what deserves a note.

    Raises:
      PlaceError: checkpoints cannot live at that path.
      RecordError: what says which one is the best is damaged.
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
        check_place(self._directory, read_only=read_only)
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
        retries.bound()
        with _without_warnings():
            place = for_libraries(self._directory)
            self._manager = ocp.CheckpointManager(place, options=options)

    def steps(self) -> list[int]:
        """Steps of the complete checkpoints, ascending."""
        return sorted(self._manager.all_steps())

    def best_step(self) -> int | None:
        """Step of the checkpoint with the best evaluation, or None before the first."""
        return (self._best or self._read_best())[0]

    def best_score(self) -> float:
        """Score of the best checkpoint; minus infinity before the first evaluation."""
        return (self._best or self._read_best())[1]

    def save(self, step: int, state: Any, run: Run) -> None:
        """Starts to write a checkpoint; the arrays are copied before this returns.

        Raises:
          MachineError: this one, or the one before, could not be written.
        """
        items = ocp.args.Composite(
            **{_STATE: ocp.args.StandardSave(state), _RUN: ocp.args.JsonSave(run)}
        )
        self.wait()
        self._saving = step
        with self._writing():
            assure(str(self._directory))
            self._manager.save(step, args=items)

    def mark_best(self, step: int, score: float) -> None:
        """Makes the checkpoint of `step` the one that `best` means."""
        self.wait()
        # Kept here too: another process may see the file late.
        self._best = (step, score)
        if is_first():
            records.write(self._best_file, {"step": step, "score": score})

    def _read_best(self) -> tuple[int | None, float]:
        if not self._best_file.is_file():
            return None, float("-inf")
        return read_best(self._best_file)

    def _tidy(self) -> None:
        """Makes the folder, without what a killed process left of a checkpoint.

        Raises:
          LinkError: a part of it is a link: what is old is removed, and must not be another's.
        """
        make_folder(self._directory, self._directory.parent)
        if is_url(self._directory) and not self._directory.is_dir():
            return
        for each in self._directory.iterdir():
            refuse_link(each)
        if is_first():
            sweep(self._directory, owned=True)
            for folder in self._unfinished():
                remove_folder(folder)

    def _unfinished(self) -> list[Path]:
        """Folders of checkpoints that a killed process began."""
        if not is_url(self._directory):
            return list(self._directory.glob("*.orbax-checkpoint-tmp*"))
        folders = [each for each in self._directory.iterdir() if each.name.isdecimal()]
        return [each for each in folders if not (each / _COMMITTED).is_file()]

    def _finish(self) -> None:
        """Reads back what was just written, and adds checksums; by process 0, in Orbax' thread.

        Orbax gives the folder its final name afterwards, so that it appears with them.
        """
        unfinished = sorted(self._directory.glob(f"{self._saving}.orbax-checkpoint-tmp*"))
        folder = unfinished[0] if unfinished else self._directory / str(self._saving)
        handler = ocp.StandardCheckpointHandler()
        try:
            handler.metadata(for_libraries(folder / _STATE))
        # Orbax answers what it cannot read with whatever its readers raise.
        except Exception as error:
            raise CheckpointError(
                f"checkpoint {self._saving} in {self._directory} was written, but cannot be read "
                f"back ({_first_line(error)}); name another --workdir"
            ) from error
        finally:
            handler.close()
        checksums.seal(folder)

    def _meet(self, **given: Any) -> None:
        """Waits for the other processes, as Orbax does by default, unless the save has failed.

        In the process in which it has, Orbax calls this in a `finally`, with the error on its way.
        The others wait for something else then, and all of them would stand there for 20 minutes.
        """
        in_background = threading.current_thread() is not threading.main_thread()
        if in_background and sys.exception() is not None:
            self._failed = True
        else:
            ocp.multihost.get_barrier_sync_fn()(**given)

    def check(self) -> None:
        """Returns at once, unless what was started has failed in this process.

        Raises:
          MachineError: it could not be written.
        """
        if self._failed:
            self.wait()

    def wait(self) -> None:
        """Returns when everything started is on disk.

        Raises:
          MachineError: it could not be written.
        """
        with self._writing():
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits, then frees the manager's threads.

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
        """Tells the machine's errors from mistakes, whatever Orbax makes of them."""
        try:
            yield
        except Exception as error:
            if (reason := of_machine(error)) is None:
                raise
            raise MachineError(
                f"checkpoint {self._saving} could not be written into {self._directory}: {reason}. "
                f"{self._whole()}; the same command goes on from the last one when that is mended"
            ) from error

    def _whole(self) -> str:
        steps = [step for step in self.steps() if step != self._saving]
        return f"Checkpoints {steps} are whole" if steps else "There is none before it"

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
          RemovedError: it is gone.
          CheckpointError: it is damaged or belongs to another network; says what to do.
        """
        after_first(lambda: self._verify(step, like), "checking the checkpoint")
        items = ocp.args.Composite(
            **{_STATE: ocp.args.StandardRestore(like), _RUN: ocp.args.JsonRestore()}
        )
        try:
            restored = self._manager.restore(step, args=items)
        # Orbax answers damage with whatever its readers raise, a bare Exception among it.
        except Exception as error:
            self._refuse_removed(step)
            raise CheckpointError(
                f"checkpoint {step} in {self._directory} cannot be read: it is damaged or of "
                f"another network ({_first_line(error)}). {self._others(step)}"
            ) from error
        return restored[_STATE], restored[_RUN]

    def _verify(self, step: int, like: Any) -> None:
        """Compares files with their checksums and claims with `like`, in process 0 alone."""
        if not is_first():
            return
        self._refuse_removed(step)
        # Of a bucket its files are looked at here, since a look reads in all of their places.
        with contextlib.ExitStack() as stack:
            try:
                folder = stack.enter_context(folder_here(self._directory / str(step)))
            except FileNotFoundError:
                self._refuse_removed(step)
                raise
            self._verify_files(step, folder, like)

    def _verify_files(self, step: int, folder: Path, like: Any) -> None:
        self._looking(step, lambda: check_files(folder))
        try:
            if not checksums.verify(folder):
                self._say(
                    f"checkpoint {step} has no checksums: an older version wrote it, and damage "
                    "to it may go unseen"
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
                f"checkpoint {step} in {self._directory} cannot be read: it is damaged or of "
                f"another network ({error}). {self._others(step)}"
            ) from None

    def _refuse_removed(self, step: int) -> None:
        if not (self._directory / str(step)).is_dir():
            raise RemovedError(
                f"checkpoint {step} in {self._directory} was removed while it was read, as a run "
                "in training does with all but the newest; the same command takes a newer one"
            )

    def _others(self, step: int) -> str:
        """What to use in its stead, as the end of an error."""
        others = [other for other in self.steps() if other != step]
        if not others:
            return "There is no other: train again in another --workdir"
        return (
            f"There are {others}: read one with --checkpoint={others[-1]}. Move the folder {step} "
            "away to train on from it"
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


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Without Orbax's own remark that a folder is opened to be read, which is what was asked."""
    before = logging.get_verbosity()
    logging.set_verbosity(min(before, logging.ERROR))
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _shapes(like: Any) -> dict[str, tuple[int, ...]]:
    """Shapes of a tree's arrays, under the names that Orbax gives them."""
    leaves = jax.tree_util.tree_leaves_with_path(like)
    return {jax.tree_util.keystr(path, simple=True, separator="."): x.shape for path, x in leaves}


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
