"""The measurements of a network's pass, as rows of tables and files."""

from __future__ import annotations

import dataclasses
import statistics
from dataclasses import dataclass
from typing import Any

from .case import Case
from .flops_and_bytes import TRAINING, FlopsAndBytes
from .machine import Machine
from .timing import half_spread

COLUMNS = (
    "", "ms", "±", "clips/s", "of torch", "GFLOP/s", "of matmul", "of copies", "MiB", "compile s",
)  # fmt: skip
LEGEND = (
    "GMAC: 1e9 multiply-adds of a forward pass. ms: the median of the repeats; ±: half of their "
    "interquartile range. of torch: the time as a share of PyTorch's best. of matmul: FLOP/s as a "
    "share of this machine's own best square matrix product in the same type. of copies: bytes/s "
    "of what convolutions and matrix products read and write, as a share of this machine's own "
    "best pass over memory. A training step counts three times the multiply-adds and bytes of a "
    "forward pass. MiB: arguments, results and scratch as XLA plans them; of PyTorch what its "
    "allocator held at most on an accelerator. With --processes, numbers are medians over "
    "processes, and the range of the ratio follows it."
)


@dataclass(frozen=True)
class Entry:
    """Facts about an implementation besides its times.

    Attributes:
      compile_seconds: compile time in seconds; None if nothing is compiled.
      memory: bytes that the program was planned or observed to need; None if unknown.
      device_peak: peak bytes on the accelerator, if this pass raised the peak; else None.
    """

    compile_seconds: float | None = None
    memory: int | None = None
    device_peak: int | None = None


@dataclass(frozen=True)
class Measurement:
    """A row of `models.csv`; the fields are its columns. Rates are per second, memory in bytes."""

    network: str
    task: str
    dtype: str
    batch: int
    clip: str
    peer: str
    repeats: int
    ms: float
    half_iqr_ms: float | None
    clips_per_second: float
    of_torch: float | None
    macs_per_clip: int
    flops_per_second: float
    of_matmul: float
    of_copies: float
    compile_seconds: float | None
    memory: int | None
    device_peak: int | None
    processes: int = 1
    least_of_torch: float | None = None
    most_of_torch: float | None = None

    def cells(self) -> tuple[str, ...]:
        """Formats the row under `COLUMNS`."""
        return (
            self.peer,
            _three_digits(self.ms),
            "-" if self.half_iqr_ms is None else _three_digits(self.half_iqr_ms),
            _three_digits(self.clips_per_second),
            self._ratio(),
            f"{self.flops_per_second / 1e9:.0f}",
            f"{self.of_matmul:.1%}",
            f"{self.of_copies:.1%}",
            _shown(None if self.memory is None else self.memory / 2**20, "{:.0f}"),
            _shown(self.compile_seconds, "{:.1f}"),
        )

    def _ratio(self) -> str:
        """Formats the ratio to PyTorch, with its range if several processes measured it."""
        if self.processes == 1 or self.of_torch is None:
            return _shown(self.of_torch, "{:.2f}")
        return f"{self.of_torch:.2f} ({self.least_of_torch:.2f} to {self.most_of_torch:.2f})"


def measurements(
    case: Case,
    times: dict[str, list[float]],
    entries: dict[str, Entry],
    cost: FlopsAndBytes,
    machine: Machine,
) -> list[Measurement]:
    """Returns the measurements of a case.

    Args:
      case: the pass that was timed.
      times: milliseconds of each repeat, by implementation.
      entries: further facts about each implementation.
      cost: multiply-adds and traffic of a forward pass of the batch.
      machine: the machine's peak rates, to which shares refer.
    """
    medians = {peer: statistics.median(each) for peer, each in times.items()}
    best = min((ms for peer, ms in medians.items() if peer.startswith("torch")), default=None)
    share = TRAINING if case.task == "train" else 1
    rows = []
    for peer, ms in medians.items():
        flops = 2 * share * cost.macs / ms * 1e3
        rows.append(
            Measurement(
                **_labels(case),
                peer=peer,
                repeats=len(times[peer]),
                ms=ms,
                half_iqr_ms=half_spread(times[peer]),
                clips_per_second=1e3 * case.batch / ms,
                of_torch=ms / best if best else None,
                macs_per_clip=cost.macs // case.batch,
                flops_per_second=flops,
                of_matmul=flops / machine.matmul[case.dtype],
                of_copies=share * cost.traffic / ms * 1e3 / machine.copies,
                **dataclasses.asdict(entries[peer]),
            )
        )
    return rows


def _labels(case: Case) -> dict[str, Any]:
    return dataclasses.asdict(case) | {"clip": "x".join(map(str, case.clip))}


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _three_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
