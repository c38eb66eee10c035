"""Times one pass of a network in several implementations, taking turns."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

import vidjax
from vidjax.installed_packages import is_installed
from vidjax.layers.lowering import force_lowering

from .case import Case
from .flops_and_bytes import count_flops_and_bytes
from .forward_pass import make_forward
from .machine import Machine
from .measurement import Entry, Measurement, measurements
from .timing import Work, all_times
from .train_step import make_step

PASSES = {"forward": make_forward, "train": make_step}


@dataclass(frozen=True)
class Comparison:
    """A comparison: which implementations are timed, and how.

    Attributes:
      name: name of the network, as in `vidjax.list_models()`.
      classes: number of logits.
      options: options of the network, as in `vidjax.create_model`.
      rounds: number of repeats; the median counts.
      steps: passes between two readings of the clock.
      own: whether vidjax is timed.
      torch: whether PyTorch is timed, if it is installed and has the network.
      compile_limit: time limit of `torch.compile` in seconds; None leaves it out.
      lax: whether XLA's own convolutions are timed.
      say: prints why an implementation is left out.
    """

    name: str
    classes: int
    options: Mapping[str, Any] = field(default_factory=dict)
    rounds: int = 5
    steps: int = 1
    own: bool = True
    torch: bool = True
    compile_limit: float | None = None
    lax: bool = False
    say: Callable[[str], None] = print

    def run(self, case: Case, machine: Machine) -> list[Measurement]:
        """Compiles all implementations, times them in turns, and returns the measurements."""
        model = vidjax.create_model(
            self.name, num_classes=self.classes, dtype=jnp.dtype(case.dtype), **self.options
        )
        peers: dict[str, Work] = {}
        entries: dict[str, Entry] = {}
        if self.own:
            before = _device_peak()
            own = PASSES[case.task](model, case.shape, self.steps)
            own()
            after = _device_peak()
            raised = after if after and after > (before or 0) else None
            peers["vidjax"], entries["vidjax"] = own, Entry(own.seconds, own.memory, raised)
        if self.lax:
            with force_lowering("lax"):
                other = PASSES[case.task](model, case.shape, self.steps)
            peers["XLA's own"], entries["XLA's own"] = other, Entry(other.seconds, other.memory)
        if self.torch:
            self._add_torch(case, peers, entries)
        times = all_times(peers, self.rounds)
        times = {name: [ms / self.steps for ms in each] for name, each in times.items()}
        return measurements(case, times, entries, count_flops_and_bytes(model, case.shape), machine)

    def _add_torch(self, case: Case, peers: dict[str, Work], entries: dict[str, Entry]) -> None:
        if not is_installed("torch"):
            self.say("PyTorch is not installed; to compare with it: pip install 'vidjax[torch]'")
            return
        from ..torch_networks.registry import PEERS
        from . import torch_baseline

        torch_baseline.as_jax_does()
        if self.name not in PEERS:
            self.say(f"{self.name} has no PyTorch version here, so vidjax is timed alone.")
            return
        layouts: dict[str, Any] = dict(torch_baseline.LAYOUTS)
        if self.compile_limit is not None:
            layouts["torch compiled"] = torch_baseline.LAYOUTS["torch channels last"]
        for name, layout in layouts.items():
            # Whatever goes wrong, such as memory or its compiler, the others are still timed.
            try:
                work, entry = self._torch_entry(case, layout, compiled="compiled" in name)
            except (Exception, torch_baseline.TooLong) as error:
                self.say(f"{name}: {type(error).__name__}: {_first_line(error)}; left out")
                continue
            peers[name], entries[name] = work, entry

    def _torch_entry(self, case: Case, layout: Any, *, compiled: bool) -> tuple[Work, Entry]:
        """Runs a pass in PyTorch once; returns it with its compile time and peak memory."""
        import torch

        from . import torch_baseline

        peer = torch.compile(self._torch_network()) if compiled else self._torch_network()
        work = self._torch_pass(case, peer, layout)
        limit = self.compile_limit if compiled else None
        seconds = torch_baseline.first_call(work, limit)
        return work, Entry(seconds if compiled else None, torch_baseline.peak_memory(work))

    def _torch_network(self) -> Any:
        from ..torch_networks.registry import network

        sizes = {key: self.options.get(key) for key in ("width", "depths")}
        return network(self.name, self.classes, **sizes)

    def _torch_pass(self, case: Case, peer: Any, layout: Any) -> Work:
        from . import torch_baseline

        return torch_baseline.make_pass(
            peer,
            case.shape,
            self.classes,
            train=case.task == "train",
            dtype=case.dtype,
            layout=layout,
            steps=self.steps,
        )


def release() -> None:
    """Frees the accelerator memory that a finished comparison has left allocated."""
    gc.collect()
    if is_installed("torch"):
        import torch

        torch.cuda.empty_cache()


def _device_peak() -> int | None:
    stats = jax.devices()[0].memory_stats()
    return stats.get("peak_bytes_in_use") if stats else None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]
