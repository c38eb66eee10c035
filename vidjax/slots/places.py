"""Where methods may go in a network, and where their settings say that they go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vidjax.settings import Kind, Setting, check, shown, whole
from vidjax.slots.block import points_of

Stages = tuple[int, ...]
_DIFFERENT = Kind(
    "a tuple of distinct stage numbers, such as (3, 4)",
    lambda given: (
        isinstance(given, tuple)
        and all(map(whole().accepts, given))
        and 0 < len(given) == len(set(given))
    ),
)
# The setting that `take_stages` takes.
STAGES: Mapping[str, Setting] = {
    "stages": Setting(
        ..., _DIFFERENT.text, "stages that the method is in; if left out, all that have blocks"
    )
}


@dataclass(frozen=True)
class Places:
    """Where methods may go in a network.

    Attributes:
      stages: numbers of the stages with places for them.
      empty: those of them that have no block, and so nothing to put a method into.
      block: what blocks are: `basic` or `bottleneck`.
      depths: number of blocks of stage 1, of stage 2 and so on; empty where nobody knows.
    """

    stages: Stages
    empty: Stages = ()
    block: str = "bottleneck"
    depths: tuple[int, ...] = ()

    def deepest(self, stages: Stages) -> int | None:
        """Blocks of the deepest of some stages; None where nobody knows."""
        return max(self.depths[stage - 1] for stage in stages) if self.depths else None

    @property
    def points(self) -> tuple[str, ...]:
        """The points of a branch."""
        return points_of(2 if self.block == "basic" else 3)


def take_points(method: str, at: Any, places: Places) -> tuple[str, ...]:
    """The points that a method's setting `at` names.

    Raises:
      ValueError: it names none, one twice, or one that blocks do not have.
    """
    if not isinstance(at, tuple) or not at or not all(isinstance(point, str) for point in at):
        raise ValueError(f"{method} at = {shown(at)}: a tuple of points, such as ('norm3',)")
    for point in at:
        if point not in places.points:
            raise ValueError(
                f"{method} at = {at}: {point!r} in a block: one of {', '.join(places.points)}, "
                f"those of a {places.block} block"
            )
    if len(set(at)) < len(at):
        raise ValueError(f"{method} at = {at}: each point once")
    return at


def take_stages(method: str, values: dict[str, Any], places: Places, last: int = 4) -> Stages:
    """Takes the setting `stages` out of a method's.

    Args:
      method: name of the option.
      values: its settings.
      places: of the network.
      last: how many of the stages that have blocks are the default, from the end.

    Raises:
      ValueError: it names what is no stage, one twice, or one without blocks.
    """
    if "stages" not in values:
        return tuple(stage for stage in places.stages if stage not in places.empty)[-last:]
    stages = values.pop("stages")
    check({"stages": stages}, {"stages": _DIFFERENT}, f"{method} ")
    for stage in stages:
        known = ", ".join(map(str, places.stages))
        if stage not in places.stages:
            raise ValueError(f"{method} in stage {stage!r}: this network's stages are {known}")
        if stage in places.empty:
            raise ValueError(
                f"{method} stages = {stages}: depths leave stage {stage} without blocks"
            )
    return tuple(map(int, stages))
