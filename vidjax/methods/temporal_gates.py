"""Squeeze and Recursion Temporal Gates (SRTG).

Stergiou, thesis, chapter 4; section 4.3.2, eq. 4.6 and 4.7: a clip is fused with the states of its
squeeze and recursion only if the states and the frames' means match each other frame by frame, in
both directions, by soft nearest neighbours.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from vidjax.docstrings import settings_of
from vidjax.layers.step_count import training_steps
from vidjax.methods import squeeze_recursion
from vidjax.methods.squeeze_recursion import SqueezeRecursion
from vidjax.settings import Kind, Setting, check, check_used, number, one_of, shown, whole
from vidjax.slots import (
    PLACEMENTS,
    STAGES,
    AllSlots,
    Make,
    Option,
    Places,
    insert_module,
    module_factory,
    option_settings,
    pop_stages,
)

SETTINGS: Mapping[str, Kind] = {
    "gate": one_of("none", "hard"),
    "gate_warmup_steps": whole(0, 2**31 - 1),
    **squeeze_recursion.SETTINGS,
    "match": one_of("soft", "nearest"),
    "combine": one_of("and", "or"),
    "distance": one_of("sum", "mean"),
    "temperature": number(above=0, most=1e6),
}
_TESTED = {"gate": Kind("hard", one_of("hard").accepts)}
_OF_CELLS = {"states": Kind("recurrent or averaged", one_of("recurrent", "averaged").accepts)}
# Settings that need others to have an effect.
NEEDS: Mapping[str, Mapping[str, Kind]] = {
    "gate_warmup_steps": _TESTED,
    "match": _TESTED,
    "combine": _TESTED,
    "distance": _TESTED,
    "temperature": _TESTED | {"match": Kind("soft", one_of("soft").accepts)},
    "cell": _OF_CELLS,
    "layers": _OF_CELLS,
}
OPEN, MATCHED, SIZE = "gate_open", "gate_matched", "state_size"
READINGS = {OPEN: "open", MATCHED: "matched"}


class TemporalGate(nn.Module):
    """Squeeze and recursion with a gate that decides whether a clip is fused with its states.

    It sows into `intermediates` which clips' gates are open, as `gate_open` bool `[B]`. With a
    warm-up it also sows which clips match, and would be open without it, as `gate_matched`.
    `state_size` float32 `[B]` is the mean magnitude of a clip's states.

    Attributes:
      gate: `none` always fuses, as in the released training code; `hard` is the thesis' gate. A
        closed gate leaves a clip exactly unchanged, and gives the cells no gradient.
      gate_warmup_steps: optimiser steps during which a `hard` gate is always open.
      cell: cell of the recurrence.
      layers: number of layers of cells.
      fuse: `multiply` features by states, or `add` them.
      states: `recurrent`, or a control with the same states at all frames: `averaged` runs the
        cells on each frame alone and averages over the frames; `learned` has one parameter per
        channel and no cells, which begins without effect. Controls need the gate `none`.
      match: a frame's neighbour in the other sequence is a `soft` mean (eq. 4.6) or the `nearest`
        frame.
      combine: whether both directions must match (`and`) or one of them (`or`).
      distance: distance of two frames: the `sum` of squares over channels, or their `mean`.
      temperature: distances are divided by it in the soft mean.
    """

    gate: str = "none"
    gate_warmup_steps: int = 0
    cell: str = "lstm"
    layers: int = 2
    fuse: str = "multiply"
    states: str = "recurrent"
    match: str = "soft"
    combine: str = "and"
    distance: str = "sum"
    temperature: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, T, H, W, C]` to the same shape.

        Raises:
          ValueError: a setting is not allowed.
        """
        check(vars(self), SETTINGS, "srtg ")
        _check_states(self)
        squeeze = SqueezeRecursion(
            self.cell, self.layers, self.fuse, self.states, name="squeeze_recursion"
        )
        fused, pooled, states = squeeze.parts(x)
        self.sow("intermediates", SIZE, jnp.mean(jnp.abs(states), axis=(1, 2)))
        if self.gate == "none":
            return fused
        settings = {name: getattr(self, name) for name in ("match", "distance", "temperature")}
        there = consistent(pooled, states, **settings)
        back = consistent(states, pooled, **settings)
        matched = there & back if self.combine == "and" else there | back
        opened = self._warm(matched, train=train)
        self.sow("intermediates", OPEN, opened)
        return jnp.where(opened[:, None, None, None, None], fused, x)

    def _warm(self, matched: jax.Array, *, train: bool) -> jax.Array:
        """Opens all gates during the warm-up; steps are counted beside the norms' statistics."""
        if not self.gate_warmup_steps:
            return matched
        self.sow("intermediates", MATCHED, matched)
        return matched | (training_steps(self, train=train) <= self.gate_warmup_steps)


def consistent(
    a: jax.Array,
    b: jax.Array,
    *,
    match: str = "soft",
    distance: str = "sum",
    temperature: float = 1.0,
) -> jax.Array:
    """Tests each clip for cycle consistency of its frames in a and b: bool `[B]`.

    (Thesis, eq. 4.6 and 4.7.) A frame's soft nearest neighbour is the mean of b's frames, weighted
    by the softmax of their negative squared distances. The frame of b that is nearest to this mean
    must have the same index. There is no gradient.

    Args:
      a: `[B, T, C]`.
      b: `[B, T, C]`.
      match: as in `TemporalGate`.
      distance: as in `TemporalGate`.
      temperature: as in `TemporalGate`.

    Examples:
      >>> import jax.numpy as jnp
      >>> from vidjax.methods.temporal_gates import consistent
      >>> frames = 10 * jnp.eye(3)[None]  # three frames that differ, [1, 3, 3]
      >>> consistent(frames, frames).tolist(), consistent(frames, frames[:, ::-1]).tolist()
      ([True], [False])
    """
    a, b = (jax.lax.stop_gradient(side.astype(jnp.float32)) for side in (a, b))
    found = distances(a, b, distance)
    if match == "soft":
        weights = nn.softmax(-found / temperature, axis=-1)
        found = distances(jnp.einsum("bti,bic->btc", weights, b, precision="highest"), b, distance)
    return jnp.all(jnp.argmin(found, axis=-1) == jnp.arange(a.shape[1]), axis=-1)


def distances(a: jax.Array, b: jax.Array, kind: str = "sum") -> jax.Array:
    """Computes squared distances of all frames, `[B, Ta, C]` and `[B, Tb, C]` to `[B, Ta, Tb]`."""
    squares = (a[:, :, None] - b[:, None]) ** 2
    return jnp.sum(squares, axis=-1) if kind == "sum" else jnp.mean(squares, axis=-1)


def openness(intermediates: Mapping[str, Any], logits: jax.Array) -> dict[str, jax.Array]:
    """Reads which clips' gates are open: `open/<where>` bool `[B]`, such as `open/layer1_block1`.

    With a warm-up also `matched/<where>`: the gates that would be open without it.
    """
    del logits
    return dict(_sown(intermediates, READINGS))


def reading(intermediates: Mapping[str, Any], logits: jax.Array) -> dict[str, jax.Array]:
    """Reads what a run logs of its gates, each `[B]`.

    Besides `openness` these are the mean magnitude of states, `state_size/<where>`, and, if there
    are gates, `logits_deviation`: the standard deviation of a clip's logits over the classes.
    """
    sizes = dict(_sown(intermediates, {SIZE: SIZE}))
    deviation = {"logits_deviation": jnp.std(logits.astype(jnp.float32), axis=-1)} if sizes else {}
    return openness(intermediates, logits) | sizes | deviation


def _sown(
    tree: Mapping[str, Any], names: Mapping[str, str], path: tuple[str, ...] = ()
) -> Iterator[tuple[str, jax.Array]]:
    for name, value in tree.items():
        if name in names:
            yield f"{names[name]}/{'_'.join(path)}", value[0]
        elif isinstance(value, Mapping):
            yield from _sown(value, names, path if name == "gate" else (*path, name))


def fill(slots: AllSlots, value: Any, places: Places) -> AllSlots:
    """Inserts gates at one placement in all blocks: a name, or a mapping with more settings."""
    values = option_settings("srtg", value if isinstance(value, Mapping) else {"placement": value})
    placement = values.pop("placement", "final")
    where = "srtg placement" if isinstance(value, Mapping) else "srtg"
    check({where: placement}, {where: _PLACEMENT})
    if placement == "top" and places.block == "basic":
        known = ", ".join(name for name in PLACEMENTS if name != "top")
        raise ValueError(f"srtg = 'top' needs bottlenecks; a basic block has {known}")
    stages = pop_stages("srtg", values, places)
    # Unused settings are refused later, when the gates' own options have been read.
    make = module_factory("srtg", TemporalGate, values, SETTINGS, more=_WHERE, used=False)
    return insert_module("srtg", slots, stages, "gate", make, placement=placement)


def _fill_in(name: str) -> Callable[[AllSlots, Any, Places], AllSlots]:
    """Returns a function that changes one setting of the gates that are already inserted."""

    def fill(slots: AllSlots, value: Any, places: Places) -> AllSlots:
        del places
        if not list(_given(slots)):
            raise ValueError(f"{name} = {shown(value)} without srtg: there is no gate")
        check({name: value}, SETTINGS)

        def change(make: Make) -> Make:
            return functools.partial(make, **{name: value}) if _is_ours(make) else make

        return tuple(slot.changed("gate", change) for slot in slots)

    return fill


def _check_used(slots: AllSlots) -> None:
    """Refuses settings of gates that have no effect because of others."""
    for given in _given(slots):
        module = TemporalGate(**given)
        check_used(given, vars(module), NEEDS, "srtg ")
        _check_states(module)


def _check_states(module: TemporalGate) -> None:
    """Refuses to test states that are the same at all frames.

    Raises:
      ValueError: names both settings, and the fix.
    """
    if module.gate == "hard" and module.states != "recurrent":
        raise ValueError(
            f"srtg gate = 'hard' with states = {module.states!r}: all frames have the same states, "
            "so the gate would be shut for every clip of several frames; set gate to 'none'"
        )


def _given(slots: AllSlots) -> Iterator[dict[str, Any]]:
    """Yields the settings of this method's gates; other methods may use the slot too."""
    for slot in slots:
        for _, own in slot.each():
            if isinstance(own.gate, functools.partial) and _is_ours(own.gate):
                yield own.gate.keywords


def _is_ours(make: Make | None) -> bool:
    return isinstance(make, functools.partial) and make.func is TemporalGate


_PLACEMENT = one_of(*PLACEMENTS)
_ALL = settings_of(SETTINGS, TemporalGate)
_WHERE: Mapping[str, Setting] = {
    "placement": Setting(
        "final",
        _PLACEMENT.text,
        "position of the gate in a block; top is only for bottlenecks. In the thesis end is only "
        "for bottlenecks, too: in basic blocks it is the released code's mid",
    ),
    **STAGES,
}
OPTIONS = (
    Option(
        "srtg",
        fill,
        f"{_PLACEMENT.text}, or a mapping of settings",
        "Squeeze and Recursion Temporal Gates",
        {**_ALL, **_WHERE},
        reading,
        check=_check_used,
        rank=10,
    ),
    *(
        Option(
            name,
            _fill_in(name),
            _ALL[name].allowed,
            f"of srtg: {_ALL[name].meaning}",
            several=False,
            rank=10,
        )
        for name in ("gate", "gate_warmup_steps")
    ),
)
