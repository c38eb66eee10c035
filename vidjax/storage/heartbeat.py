"""Signs of life, given from time to time by a thread of their own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def beating(beat: Callable[[], None], every: float, name: str) -> Iterator[None]:
    """Calls `beat` every so many seconds while the context is open.

    Args:
      beat: gives one sign of life. A disk or a store that fails for a while is told by the work
        itself, so that its `OSError` is passed over.
      every: seconds.
      name: of the thread.
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
