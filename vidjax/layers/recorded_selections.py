"""What each selection of frames can choose, told while a network is traced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Selection:
    """A selection of frames.

    Attributes:
      frames: of the clip.
      candidates: of them that may be selected.
      wanted: how many are.
    """

    frames: int
    candidates: int
    wanted: int


_told: ContextVar[list[Selection] | None] = ContextVar("selections", default=None)


@contextmanager
def told_selections() -> Iterator[list[Selection]]:
    """Collects the selections that are traced inside, in their order."""
    found: list[Selection] = []
    token = _told.set(found)
    try:
        yield found
    finally:
        _told.reset(token)


def tell(frames: int, candidates: int, wanted: int) -> None:
    """Says what a selection can choose, as in `Selection`; nobody may listen."""
    found = _told.get()
    if found is not None:
        found.append(Selection(frames, candidates, wanted))
