"""Measures the cost of explanations and evaluation, in forward passes of the same network.

Maps of one clip are timed in turns with a forward pass of one clip. A map that needs n passes costs
about n forward passes, or fewer if its clips go through the network in batches. Tubes and pyramids
need one pass. The 30 views of a video (ten clips, three crops each) are timed in one call, as in an
evaluation.

Example:
  vidjax benchmark explanations --models=r3d_18,x3d_s
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
from absl import flags

import vidjax
from vidjax.explain.compile_options import full_optimization
from vidjax.explain.saliency_map import saliency_map
from vidjax.terminal import complain, say
from vidjax.training.malloc_settings import keep_freed_memory

from .arguments import clip_sizes
from .comparison import release
from .forward_pass import make_forward
from .machine import describe, versions
from .timing import print_table, time_in_turns

_MODELS = flags.DEFINE_list(
    "models", ["r3d_18", "x3d_s", "slowonly_50"], "NETWORK,...: Networks to measure."
)
_CLIP = flags.DEFINE_list("clip", ["16", "112", "112"], "FRAMES,HEIGHT,WIDTH: Size of a clip.")
_WIDTH = flags.DEFINE_integer("width", None, "Channels of the stem. By default as published.")
_MASKS = flags.DEFINE_integer("masks", 32, "Number of masks of RISE.", lower_bound=1)
_VIEWS = flags.DEFINE_integer("views", 30, "Views of a video.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Rounds; the median counts.", lower_bound=1)
_PLAIN = "a forward pass"
_MAPS: Mapping[str, Mapping[str, Any]] = {
    "saliency_tube": {},
    "class_feature_pyramid": {},
    "grad_cam": {},
    "integrated_gradients": {"steps": 4},
    "rise": {},
    "occlusion": {"over": "time"},
}
COLUMNS = ("network", "what", "ms", "passes", "cost in passes", "of its passes' time")


def main(arguments: Sequence[str]) -> None:
    """Times the maps of each network in turns with its forward pass, and prints the costs."""
    del arguments
    keep_freed_memory()
    for name in _MODELS.value:
        vidjax.model_card(name)
    say(describe(), versions())
    rows = []
    for name in _MODELS.value:
        for row in _rows(name):
            rows.append(row)
            complain("  ".join(row))
        release()
    print_table(f"clips of {'x'.join(_CLIP.value)}, float32", COLUMNS, rows)


def _rows(name: str) -> Iterator[tuple[str, ...]]:
    model = vidjax.create_model(name, **({"width": _WIDTH.value} if _WIDTH.value else {}))
    shape = clip_sizes(_CLIP.value)
    clip = jax.random.normal(jax.random.key(1), (*shape, 3))
    variables = jax.jit(lambda x: model.init(jax.random.key(0), x, train=False))(clip[None])
    passes: dict[str, int] = {_PLAIN: 1, f"{_VIEWS.value} views": _VIEWS.value}

    def drawing(map_name: str, settings: Mapping[str, Any]) -> Callable[[], object]:
        def draw() -> object:
            with full_optimization():
                return saliency_map(model, variables, clip, 0, map_name, **settings)

        return draw

    works: dict[str, Callable[[], object]] = {
        _PLAIN: make_forward(model, (1, *shape, 3)),
        f"{_VIEWS.value} views": make_forward(model, (_VIEWS.value, *shape, 3)),
    }
    for map_name, settings in _MAPS.items():
        given = {"masks": _MASKS.value} if map_name == "rise" else settings
        works[map_name] = drawing(map_name, given)
        passes[map_name] = _passes(works[map_name])
    times = time_in_turns(works, _ROUNDS.value)
    for what, ms in times.items():
        cost = ms / times[_PLAIN]
        yield (
            name,
            what,
            f"{ms:.1f}",
            str(passes[what]),
            f"{cost:.2f}",
            f"{cost / passes[what]:.2f}",
        )


def _passes(draw: Callable[[], Any]) -> int:
    """Returns the number of passes that a map reports, plus one for the logits of the clip."""
    return 1 + int(draw().passes)
