"""Heartbeats from a background thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def heartbeat(beat: Callable[[], None], every: float, name: str) -> Iterator[None]:
    """Calls `beat` periodically while the context is open.

    Args:
      beat: sends one heartbeat. An `OSError` is ignored: if the disk or store fails, the work
        itself reports it.
      every: seconds between two calls.
      name: name of the thread.
    """
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(every):
            with contextlib.suppress(OSError):
                beat()

    thread = threading.Thread(target=go_on, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
