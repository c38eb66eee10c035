"""A network's forward pass or training step in PyTorch, as the baseline for speed."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from .timing import Work

LAYOUTS = {"torch": torch.contiguous_format, "torch channels last": torch.channels_last_3d}


class TooLong(BaseException):
    """Compilation exceeded its limit. No `except Exception` swallows this BaseException."""


def device() -> str:
    """Returns the accelerator if PyTorch has one, otherwise the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def wait() -> None:
    """Waits until the accelerator has finished."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def as_jax_does() -> None:
    """Sets PyTorch on a GPU to JAX's defaults: TF32 for float32, and the fastest convolutions."""
    if device() == "cpu":
        return
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True


def make_pass(
    peer: nn.Module,
    shape: tuple[int, ...],
    num_classes: int,
    *,
    train: bool,
    dtype: str,
    layout: Any,
    steps: int = 1,
) -> Callable[[], None]:
    """Prepares a pass over random clips; calling it runs the pass and waits for the result.

    Args:
      peer: the network; it is moved to the device, and its weights to the layout.
      shape: shape of the clips, `[B, T, H, W, 3]` as in vidjax.
      num_classes: number of logits.
      train: forward, backward and an SGD update; otherwise logits as in evaluation.
      dtype: dtype of the computation; parameters stay float32 as in vidjax.
      layout: memory format of activations and kernels.
      steps: number of passes before waiting.
    """
    peer = peer.to(device(), memory_format=layout)
    clip = torch.randn(shape[0], shape[4], *shape[1:4], device=device())
    clip = clip.contiguous(memory_format=layout)
    precision = torch.autocast(device(), torch.bfloat16, enabled=dtype == "bfloat16")
    step = _step(peer, clip, num_classes, precision) if train else _forward(peer, clip, precision)

    def work() -> None:
        for _ in range(steps):
            step()
        wait()

    return work


def _forward(peer: nn.Module, clip: torch.Tensor, precision: Any) -> Work:
    peer.eval()

    def forward() -> None:
        with torch.inference_mode(), precision:
            peer(clip)

    return forward


def _step(peer: nn.Module, clip: torch.Tensor, num_classes: int, precision: Any) -> Work:
    peer.train()
    labels = torch.arange(len(clip), device=device()) % num_classes
    optimizer = torch.optim.SGD(peer.parameters(), lr=0.01, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with precision:
            loss = nn.functional.cross_entropy(peer(clip), labels)
        loss.backward()
        optimizer.step()

    return step


def first_call(work: Work, limit: float | None) -> float:
    """Times the first call, in which `torch.compile` compiles. The limit needs Unix signals.

    Args:
      work: the pass.
      limit: time limit in seconds; None has no limit.

    Raises:
      TooLong: it took longer than `limit` seconds.
    """
    start = time.perf_counter()
    with contextlib.nullcontext() if limit is None else _alarm(limit):
        work()
    return time.perf_counter() - start


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def ring(*_: object) -> None:
        raise TooLong(f"more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def peak_memory(work: Work) -> int | None:
    """Returns the peak bytes on the accelerator during a call; None on a CPU."""
    if not torch.cuda.is_available():
        return None
    torch.cuda.reset_peak_memory_stats()
    work()
    return int(torch.cuda.max_memory_allocated())
