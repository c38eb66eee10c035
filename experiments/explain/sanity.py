"""How maps change as a network loses what it has learnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax

from vidjax.explain.map_measurements import Compared
from vidjax.explain.map_selection import ChosenMap
from vidjax.explain.sanity_checks import cascade, parts_of, rank_correlation, similarity
from vidjax.explain.sanity_table import SanityRow, sanity_rows
from vidjax.progress import ProgressLine

from .explained_network import Subject
from .map_evaluation import Bench, Filmed, Task
from .remaining_time import Pace
from .resumable_results import Kept


@dataclass(frozen=True)
class Other:
    """A network that a trained one is compared with: other variables of the same.

    Attributes:
      check: `parameters`, `labels` or `seed`.
      name: the part down to which it is random, or the check in words.
      variables: of it.
    """

    check: str
    name: str
    variables: Any = field(repr=False)


def others_of(
    benches: Sequence[Bench], networks: Mapping[str, Sequence[str]], shuffled: Subject | None
) -> Mapping[str, Sequence[Other]]:
    """What each network is compared with.

    Args:
      benches: the networks.
      networks: names of the runs of each network.
      shuffled: a run of one of them on shuffled labels.

    Raises:
      ValueError: the run on shuffled labels is of another network.
    """
    of = {bench.name: bench for bench in benches}
    found = {}
    for runs in networks.values():
        for place, run in enumerate(runs):
            bench = of[run]
            parts = parts_of(bench.traced, bench.variables["params"])
            random = cascade(bench.variables, bench.fresh(), parts)
            found[run] = [Other("parameters", part, variables) for part, variables in random]
            if shuffled and _is_same(bench, shuffled):
                variables = jax.device_get(shuffled.trained.variables)
                found[run].append(Other("labels", "shuffled labels", variables))
            if len(runs) > 1:
                following = of[runs[(place + 1) % len(runs)]]
                found[run].append(Other("seed", "another seed", following.variables))
    if shuffled and not any(_is_same(bench, shuffled) for bench in benches):
        raise ValueError(f"--shuffled={shuffled.name}: none of the runs is of that network")
    return found


def _is_same(bench: Bench, other: Subject) -> bool:
    own, its = bench.network.config.model, other.config.model
    return (own.name, own.options, len(bench.network.classes)) == (
        its.name,
        its.options,
        other.trained.num_classes,
    )


def compared(
    task: Task,
    others: Mapping[str, Sequence[Other]],
    videos: int,
    output: Path,
    progress: ProgressLine,
) -> list[SanityRow]:
    """Compares what is not compared yet.

    Args:
      task: networks and maps.
      others: what each network is compared with.
      videos: so many at most, spread over those of the task.
      output: folder where the results are kept.
      progress: where it is said.
    """
    wanted: dict[object, None] = {}
    with Kept(output / "compared.jsonl", Compared, _key) as kept:
        films = {bench.name: _few(list(bench.films()), videos) for bench in task.benches}
        pace = Pace(sum(map(len, films.values())), progress)
        for bench in task.benches:
            # A map of no network does not change with it.
            drawn = [own for own in task.drawn[bench.name] if not own.is_baseline]
            for film in films[bench.name]:
                worked = False
                for own in drawn:
                    keys = [
                        (bench.name, film.name, own.text, other.check, other.name)
                        for other in others[bench.name]
                    ]
                    wanted |= dict.fromkeys(keys)
                    if any(key not in kept for key in keys):
                        worked = True
                        _compare(bench, own, film, others[bench.name], kept, pace)
                pace.done(worked)
        found = [own for own in kept if _key(own) in wanted]
    return sanity_rows(task.networks, list(task.titles), found)


def _key(own: Compared) -> object:
    return (own.run, own.video, own.map, own.check, own.other)


def _few(films: Sequence[Filmed], most: int) -> list[Filmed]:
    count = min(len(films), most)
    return [films[place * len(films) // count] for place in range(count)]


def _compare(
    bench: Bench,
    chosen: ChosenMap,
    film: Filmed,
    others: Sequence[Other],
    kept: Kept[Compared],
    pace: Pace,
) -> None:
    """Compares a map of a clip with those of all other networks."""
    doing = pace.of(f"{bench.name}: sanity of {chosen.text}")
    own = bench.draw(chosen, film, doing).volume
    for place, other in enumerate(others):
        volume = bench.draw(chosen, film, doing, other.variables).volume
        kept.add(
            Compared(
                run=bench.name,
                video=film.name,
                map=chosen.text,
                place=place,
                check=other.check,
                other=other.name,
                correlation=round(rank_correlation(own, volume), 6),
                similarity=round(similarity(own, volume), 6),
            )
        )
