"""Weights & Biases: sends numbers to a run there, or to a local folder with `WANDB_MODE=offline`.

The id of the W&B run is stored in `wandb.json`, so that a resumed run continues the same one.
Numbers are plotted over `step`. Steps that an interrupted run has already sent are sent again, with
the same numbers. `WANDB_PROJECT`, `WANDB_NAME` and W&B's other variables have their usual meaning.
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
      run: a run of the package wandb.
    """

    def __init__(self, run: Any) -> None:
        self._run = run
        # W&B's own step only rises; ours goes back to the last checkpoint.
        run.define_metric("step", hidden=True)
        run.define_metric("*", step_metric="step")

    def write(self, step: int, split: str, numbers: Mapping[str, float]) -> None:
        """As in `Writer`."""
        named = {f"{split}/{name}": value for name, value in numbers.items()}
        self._run.log({"step": step, **named})

    def flush(self) -> None:
        """Does nothing: W&B sends numbers in a process of its own."""

    def close(self) -> None:
        """As in `Writer`."""
        self._run.finish()


def open(workdir: Path, step: int, config: Config) -> Run:
    """Starts a W&B run, or continues the one that this run began.

    Raises:
      RecordError: the stored id is damaged.
      LinkError: W&B's folder is a link.
      Exception: any error of W&B, such as without a network or an account.
    """
    del step
    import wandb

    # W&B writes to this folder.
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
    """Returns the W&B id of the run, which is generated at its first start.

    Raises:
      RecordError: the file with the id is damaged.
    """
    file = workdir / "wandb.json"
    if not file.exists():
        records.write(file, {"id": secrets.token_hex(8)})
    return records.read(file, _Kept, "move it away, to begin another run at W&B").id
