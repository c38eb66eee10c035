"""The input normalisation of weights: mean, standard deviation and channel order of the colours.

It belongs to a file. Two files of one project for the same network may differ in it, and no
tensor's name or shape tells which is which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from absl import logging
from flax.traverse_util import flatten_dict, unflatten_dict

Triple = tuple[float, float, float]
ORDERS = ("RGB", "BGR")
_COLOURS = 3
# The layer that sees the clip. There is one in each pathway: `stem_layer`, `fast_stem_layer`.
_FIRST = "stem_layer"


class Normalization(NamedTuple):
    """How the colours of frames were normalised before the network saw them.

    Attributes:
      mean: mean of red, green and blue in [0, 1]; it is subtracted.
      std: standard deviation of red, green and blue in [0, 1]; the difference is divided by it.
      order: channel order that the file's kernels expect, `RGB` or `BGR`.
    """

    mean: Triple
    std: Triple
    order: str = "RGB"


IMAGENET = Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class StatedNormalization(NamedTuple):
    """The normalisation that a user states for a file; None means not stated."""

    mean: Triple | None = None
    std: Triple | None = None
    order: str | None = None

    def check(self) -> None:
        """Refuses an unknown channel order.

        Raises:
          ValueError: names the value and the two orders.
        """
        if self.order not in (None, *ORDERS):
            raise ValueError(f"channels = {self.order!r}: one of {', '.join(ORDERS)}")


def choose_normalization(
    name: str, layout: str, known: Sequence[Normalization], given: StatedNormalization
) -> Normalization:
    """Chooses the normalisation of a file, and warns if published files differ and nobody chose.

    Args:
      name: name of the network, for the warning.
      layout: the project whose key names the file has, for the warning.
      known: normalisations of all published files of this kind, the preferred one first.
      given: normalisation that the user states.
    """
    alike = [colours for colours in known if given.order in (None, colours.order)] or known

    def override(colours: Normalization) -> Normalization:
        """Replaces the known values by those that the user states."""
        mean, std, order = given
        return Normalization(mean or colours.mean, std or colours.std, order or colours.order)

    chosen = override(alike[0])
    others = {override(colours) for colours in alike} - {chosen}
    if others:
        logging.warning(
            "files of %s for %s differ in their input normalisation: %s is used, others have %s. "
            "Pass mean, std and channels, or open a published file by its tag",
            layout,
            name,
            _in_words(chosen),
            "; ".join(sorted(map(_in_words, others))),
        )
    return chosen


def _in_words(colours: Normalization) -> str:
    mean, std = (", ".join(f"{value:.4g}" for value in each) for each in colours[:2])
    return f"{colours.order}, mean ({mean}), std ({std})"


def to_rgb(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Reverses the input channels of the first kernels, so that a BGR network takes RGB clips.

    The result gives the same logits on RGB clips as the original gives on BGR clips.

    Args:
      variables: `{"params": ..., "batch_stats": ...}`.

    Raises:
      ValueError: the network has no known first kernel that sees the clip.
    """
    params = flatten_dict(variables["params"])
    seeing = [path for path, array in params.items() if _sees_the_clip(path, array)]
    if not seeing:
        raise ValueError(
            "this network has no first convolution whose input channels can be reversed"
        )
    turned = {path: params[path][..., ::-1, :] for path in seeing}
    return {**variables, "params": unflatten_dict({**params, **turned})}


def _sees_the_clip(path: tuple[str, ...], array: Any) -> bool:
    first = path[0].endswith(_FIRST) and path[-1] == "kernel"
    return first and array.ndim >= 4 and array.shape[-2] == _COLOURS
