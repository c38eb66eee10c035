"""The registry: published checkpoints by network and tag."""

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
    """All rows, those of a network in order of preference."""
    return tuple(records.read(_FILE, list[Checkpoint], "install vidjax anew"))


def list_pretrained(pattern: str = "*") -> list[str]:
    """Published weights, each as `NETWORK:TAG`.

    Weights that do not compute what was published, because the network here differs, are left out:
    `load_pretrained` refuses them and says why.

    Args:
      pattern: shell-style, such as `*x3d*` or `*:kinetics400*`.

    Returns:
      Names that match, sorted.
    """
    usable = (row.name for row in checkpoints() if row.usable is not False)
    return sorted(name for name in usable if fnmatch.fnmatchcase(name, pattern))


def candidates(network: str, tag: str) -> list[Checkpoint]:
    """The checkpoints that a tag may mean, the preferred first.

    Args:
      network: as in `list_models()`.
      tag: all of a checkpoint's, or what some begin with up to a dash, such as `kinetics400`.

    Raises:
      ValueError: there is no such network.
      WeightsError: it has no such weights, or those that it has are not usable.
    """
    variant(network)
    rows = [row for row in checkpoints() if row.network == network]
    if not rows:
        networks = {row.network for row in checkpoints()}
        raise WeightsError(
            f"no published weights of {network} are known: {nearest(network, networks)}"
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
    """Names of a checkpoint's classes in the order of its logits; None where nobody says them."""
    if row.classes is None:
        return None
    return tuple((_CLASSES / f"{row.classes}.txt").read_text(encoding="utf-8").splitlines())
