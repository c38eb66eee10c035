"""Weights & Biases: numbers go to a run there, or to a local folder with `WANDB_MODE=offline`.

The run's id is kept in `wandb.json`, so that a run that resumes goes on in the same one. Numbers
are drawn over `step`. Those of steps that an interrupted run has sent already are sent again; they
are the same numbers at the same places. `WANDB_PROJECT`, `WANDB_NAME` and W&B's other variables
mean what they mean there.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from vidjax import records
from vidjax.run.config import Config, to_mapping
from vidjax.storage.writing import make_folder

NEEDS, INSTALL = "wandb", "vidjax[wandb]"
ON_DISK = True
_PROJECT = "vidjax"


class _Kept(msgspec.Struct):
    id: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{1,64}$")]


class Run:
    """Sends each number as `split/name`.

    Args:
      run: of the package wandb.
    """

    def __init__(self, run: Any) -> None:
        self._run = run
        # Their own counter only rises; ours goes back to the last checkpoint.
        run.define_metric("step", hidden=True)
        run.define_metric("*", step_metric="step")

    def write(self, step: int, split: str, numbers: Mapping[str, float]) -> None:
        """As in `Writer`."""
        named = {f"{split}/{name}": value for name, value in numbers.items()}
        self._run.log({"step": step, **named})

    def flush(self) -> None:
        """W&B sends what it has by itself, in a process of its own."""

    def close(self) -> None:
        """As in `Writer`."""
        self._run.finish()


def open(workdir: Path, step: int, config: Config) -> Run:
    """Starts a run of W&B, or goes on with the one that this run began.

    Raises:
      RecordError: the id that was kept is damaged.
      LinkError: the folder that W&B keeps its files in is a link.
      Exception: whatever W&B raises, such as without a network or an account.
    """
    del step
    import wandb

    # W&B itself writes there.
    make_folder(workdir / "wandb", workdir)
    return Run(
        wandb.init(
            project=os.environ.get("WANDB_PROJECT") or _PROJECT,
            name=os.environ.get("WANDB_NAME") or workdir.absolute().name,
            id=run_id(workdir),
            resume="allow",
            dir=str(workdir),
            config=to_mapping(config),
            allow_val_change=True,
        )
    )


def run_id(workdir: Path) -> str:
    """The id of the run at W&B, made up at its first start.

    Raises:
      RecordError: the file that keeps it is damaged.
    """
    file = workdir / "wandb.json"
    if not file.exists():
        records.write(file, {"id": secrets.token_hex(8)})
    return records.read(file, _Kept, "move it away, to begin another run at W&B").id
