"""The registry of PyTorch networks, by the names of ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import nn

from vidjax.models.stage_blocks import DEPTHS

from .csn import ir_csn
from .r2plus1d import r2plus1d
from .resnet3d import r3d, resnext3d
from .slowfast import slowfast, slowonly
from .x3d import x3d

_X3D_DEPTHS = (3, 5, 11, 7)


def _by_name() -> dict[str, tuple[Callable[..., nn.Module], Sequence[int]]]:
    found: dict[str, tuple[Callable[..., nn.Module], Sequence[int]]] = {}
    for size, depths in DEPTHS.items():
        found[f"r3d_{size}"] = partial(r3d, deep=size >= 50), depths
        if size <= 152:
            found[f"r2plus1d_{size}"] = partial(r2plus1d, deep=size >= 50), depths
        if 50 <= size <= 152:
            found[f"ir_csn_{size}"] = ir_csn, depths
    for size in (50, 101):
        found[f"slowonly_{size}"] = slowonly, DEPTHS[size]
    found["slowfast_50"] = slowfast, DEPTHS[50]
    found["slowfast_50_4x16"] = partial(slowfast, alpha=8, kernel=5), DEPTHS[50]
    found["slowfast_101"] = partial(slowfast, kernel=5), DEPTHS[101]
    found["resnext3d_101"] = resnext3d, DEPTHS[101]
    return found | {f"x3d_{size}": (x3d, _X3D_DEPTHS) for size in ("xs", "s", "m")}


PEERS = _by_name()


def network(
    name: str, num_classes: int, width: int | None = None, depths: Sequence[int] | None = None
) -> nn.Module | None:
    """Builds a network in PyTorch; None if there is no network of that name.

    Args:
      name: name of the network, one of `vidjax.list_models()`.
      num_classes: number of logits.
      width: channels of the stem; None for the published width.
      depths: number of blocks of each stage; None for the published depths.
    """
    if name not in PEERS:
        return None
    make, published = PEERS[name]
    chosen = {} if width is None else {"width": width}
    return make(depths or published, num_classes, **chosen)
