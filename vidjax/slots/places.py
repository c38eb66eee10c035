"""Where methods can be inserted in a network, and where their settings say they are."""

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
# The setting that `pop_stages` reads.
STAGES: Mapping[str, Setting] = {
    "stages": Setting(
        ..., _DIFFERENT.text, "stages to insert it in; if left out, all that have blocks"
    )
}


@dataclass(frozen=True)
class Places:
    """Where methods can be inserted in a network.

    Attributes:
      stages: numbers of the stages with slots.
      empty: those stages that have no blocks, so that nothing can be inserted.
      block: kind of blocks: `basic` or `bottleneck`.
      depths: number of blocks of stage 1, of stage 2 and so on; empty if unknown.
    """

    stages: Stages
    empty: Stages = ()
    block: str = "bottleneck"
    depths: tuple[int, ...] = ()

    def deepest(self, stages: Stages) -> int | None:
        """Returns the number of blocks of the deepest of some stages; None if unknown."""
        return max(self.depths[stage - 1] for stage in stages) if self.depths else None

    @property
    def points(self) -> tuple[str, ...]:
        """The points of a branch."""
        return points_of(2 if self.block == "basic" else 3)


def parse_points(method: str, at: Any, places: Places) -> tuple[str, ...]:
    """Checks and returns the points that a method's setting `at` names.

    Raises:
      ValueError: it names no point, one twice, or one that blocks do not have.
    """
    if not isinstance(at, tuple) or not at or not all(isinstance(point, str) for point in at):
        raise ValueError(
            f"{method} at = {shown(at)}: expected a tuple of points, such as ('norm3',)"
        )
    for point in at:
        if point not in places.points:
            raise ValueError(
                f"{method} at = {at}: {point!r} is not a point of a {places.block} block, which "
                f"has {', '.join(places.points)}"
            )
    if len(set(at)) < len(at):
        raise ValueError(f"{method} at = {at}: name each point once")
    return at


def pop_stages(method: str, values: dict[str, Any], places: Places, last: int = 4) -> Stages:
    """Removes the setting `stages` from a method's settings, and returns its stages.

    Args:
      method: name of the option.
      values: settings of the method.
      places: places of the network.
      last: how many of the last stages with blocks are the default.

    Raises:
      ValueError: it names a stage that does not exist, one twice, or one without blocks.
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
                f"{method} stages = {stages}: stage {stage} has no blocks, according to depths"
            )
    return tuple(map(int, stages))
