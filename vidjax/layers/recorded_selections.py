"""Records the choices of each frame selection while a network is traced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Selection:
    """A selection of frames.

    Attributes:
      frames: frames of the clip.
      candidates: frames that may be selected.
      wanted: frames that are selected.
    """

    frames: int
    candidates: int
    wanted: int


_told: ContextVar[list[Selection] | None] = ContextVar("selections", default=None)


@contextmanager
def recording_selections() -> Iterator[list[Selection]]:
    """Collects the selections that are traced within the context, in order."""
    found: list[Selection] = []
    token = _told.set(found)
    try:
        yield found
    finally:
        _told.reset(token)


def record_selection(frames: int, candidates: int, wanted: int) -> None:
    """Records a selection, with fields as in `Selection`, if something collects them."""
    found = _told.get()
    if found is not None:
        found.append(Selection(frames, candidates, wanted))
