"""Sanity checks: how maps change as the weights of a network become random."""

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
from .map_evaluation import MapEvaluation, Task, VideoClip
from .remaining_time import RemainingTime
from .resumable_results import ResumableResults


@dataclass(frozen=True)
class Other:
    """Other variables of a trained network, to compare its maps with.

    Attributes:
      check: `parameters`, `labels` or `seed`.
      name: the part down to which the parameters are random, or the check in words.
      variables: the variables.
    """

    check: str
    name: str
    variables: Any = field(repr=False)


def others_of(
    evaluations: Sequence[MapEvaluation],
    networks: Mapping[str, Sequence[str]],
    shuffled: Subject | None,
) -> Mapping[str, Sequence[Other]]:
    """Returns the other variables that each network is compared with.

    Args:
      evaluations: the networks.
      networks: names of the runs of each network.
      shuffled: a run of one of these networks on shuffled labels.

    Raises:
      ValueError: the run on shuffled labels is of another network.
    """
    of = {evaluation.name: evaluation for evaluation in evaluations}
    found = {}
    for runs in networks.values():
        for place, run in enumerate(runs):
            evaluation = of[run]
            parts = parts_of(evaluation.traced, evaluation.variables["params"])
            random = cascade(evaluation.variables, evaluation.fresh(), parts)
            found[run] = [Other("parameters", part, variables) for part, variables in random]
            if shuffled and _is_same(evaluation, shuffled):
                variables = jax.device_get(shuffled.trained.variables)
                found[run].append(Other("labels", "shuffled labels", variables))
            if len(runs) > 1:
                following = of[runs[(place + 1) % len(runs)]]
                found[run].append(Other("seed", "another seed", following.variables))
    if shuffled and not any(_is_same(evaluation, shuffled) for evaluation in evaluations):
        raise ValueError(f"--shuffled={shuffled.name}: none of the runs has this network")
    return found


def _is_same(evaluation: MapEvaluation, other: Subject) -> bool:
    own, its = evaluation.network.config.model, other.config.model
    return (own.name, own.options, len(evaluation.network.classes)) == (
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
    """Compares all maps that were not compared before.

    Args:
      task: networks and maps.
      others: other variables of each network.
      videos: largest number of videos, spread over those of the task.
      output: folder that keeps the results.
      progress: shows how far it is.
    """
    wanted: dict[object, None] = {}
    with ResumableResults(output / "compared.jsonl", Compared, _key) as kept:
        clips = {
            evaluation.name: _few(list(evaluation.clips()), videos)
            for evaluation in task.evaluations
        }
        remaining = RemainingTime(sum(map(len, clips.values())), progress)
        for evaluation in task.evaluations:
            # Baselines do not depend on the network.
            drawn = [own for own in task.drawn[evaluation.name] if not own.is_baseline]
            for video_clip in clips[evaluation.name]:
                worked = False
                for own in drawn:
                    keys = [
                        (evaluation.name, video_clip.name, own.text, other.check, other.name)
                        for other in others[evaluation.name]
                    ]
                    wanted |= dict.fromkeys(keys)
                    if any(key not in kept for key in keys):
                        worked = True
                        _compare(
                            evaluation, own, video_clip, others[evaluation.name], kept, remaining
                        )
                remaining.done(worked)
        found = [own for own in kept if _key(own) in wanted]
    return sanity_rows(task.networks, list(task.titles), found)


def _key(own: Compared) -> object:
    return (own.run, own.video, own.map, own.check, own.other)


def _few(clips: Sequence[VideoClip], most: int) -> list[VideoClip]:
    count = min(len(clips), most)
    return [clips[place * len(clips) // count] for place in range(count)]


def _compare(
    evaluation: MapEvaluation,
    chosen: ChosenMap,
    video_clip: VideoClip,
    others: Sequence[Other],
    kept: ResumableResults[Compared],
    remaining: RemainingTime,
) -> None:
    """Compares a map of a clip with those of all other variables."""
    doing = remaining.of(f"{evaluation.name}: sanity of {chosen.text}")
    own = evaluation.draw(chosen, video_clip, doing).volume
    for place, other in enumerate(others):
        volume = evaluation.draw(chosen, video_clip, doing, other.variables).volume
        kept.add(
            Compared(
                run=evaluation.name,
                video=video_clip.name,
                map=chosen.text,
                place=place,
                check=other.check,
                other=other.name,
                correlation=round(rank_correlation(own, volume), 6),
                similarity=round(similarity(own, volume), 6),
            )
        )
