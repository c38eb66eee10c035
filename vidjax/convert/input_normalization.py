"""Colours that weights were trained with: their mean, their deviation and their order.

They belong to a file. Files of one project for one network may differ in them, and no name or shape
of a tensor tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from absl import logging
from flax.traverse_util import flatten_dict, unflatten_dict

Triple = tuple[float, float, float]
ORDERS = ("RGB", "BGR")
_COLOURS = 3
# The layer of a network that sees the clip, one in each pathway: `stem_layer`, `fast_stem_layer`.
_FIRST = "stem_layer"


class Colours(NamedTuple):
    """What was done to the colours of frames before a network saw them.

    Attributes:
      mean: of red, green and blue in [0, 1], subtracted.
      std: of red, green and blue in [0, 1], divided by.
      order: in which the kernels of the file take the colours, `RGB` or `BGR`.
    """

    mean: Triple
    std: Triple
    order: str = "RGB"


IMAGENET = Colours((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Given(NamedTuple):
    """What a user says of a file's colours; None is nothing."""

    mean: Triple | None = None
    std: Triple | None = None
    order: str | None = None

    def check(self) -> None:
        """Refuses an order that there is not.

        Raises:
          ValueError: names it.
        """
        if self.order not in (None, *ORDERS):
            raise ValueError(f"channels = {self.order!r}: one of {', '.join(ORDERS)}")


def settle(name: str, layout: str, known: Sequence[Colours], given: Given) -> Colours:
    """The colours of a file; warns where files with its names differ and nobody said which.

    Args:
      name: of the network, for the warning.
      layout: whose names the file has, for the warning.
      known: of all published files of this kind, the preferred first.
      given: by the user.
    """
    alike = [colours for colours in known if given.order in (None, colours.order)] or known

    def told(colours: Colours) -> Colours:
        """With what the user says, which is no question."""
        mean, std, order = given
        return Colours(mean or colours.mean, std or colours.std, order or colours.order)

    chosen = told(alike[0])
    others = {told(colours) for colours in alike} - {chosen}
    if others:
        logging.warning(
            "files of %s for %s differ in their colours: %s is taken, others have %s. Say mean, "
            "std and channels, or open a published file by its tag",
            layout,
            name,
            _in_words(chosen),
            "; ".join(sorted(map(_in_words, others))),
        )
    return chosen


def _in_words(colours: Colours) -> str:
    mean, std = (", ".join(f"{value:.4g}" for value in each) for each in colours[:2])
    return f"{colours.order}, mean ({mean}), std ({std})"


def to_rgb(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Variables of the network that gives on RGB clips what the given one gives on BGR clips.

    The kernels that see the clip have their inputs in the other order.

    Args:
      variables: `{"params": ..., "batch_stats": ...}`.

    Raises:
      ValueError: no kernel is known to see the clip.
    """
    params = flatten_dict(variables["params"])
    seeing = [path for path, array in params.items() if _sees_the_clip(path, array)]
    if not seeing:
        raise ValueError("no kernel of this network is known to see the clip")
    turned = {path: params[path][..., ::-1, :] for path in seeing}
    return {**variables, "params": unflatten_dict({**params, **turned})}


def _sees_the_clip(path: tuple[str, ...], array: Any) -> bool:
    first = path[0].endswith(_FIRST) and path[-1] == "kernel"
    return first and array.ndim >= 4 and array.shape[-2] == _COLOURS
