"""Prints the table of published weights, as in docs/pretrained-list.md.

Example:
  vidjax published > docs/pretrained-list.md
"""

from __future__ import annotations

from collections.abc import Iterable

from absl import app

from vidjax.terminal import say
from vidjax.trained.preprocessing import Preprocessing
from vidjax.trained.published.checkpoint import Checkpoint
from vidjax.trained.published.clip_preprocessing import preprocessing_of
from vidjax.trained.published.registry import checkpoints

HEAD = """# Published weights by name

`vidjax.load_pretrained(NETWORK, TAG)` and `--weights=NETWORK:TAG` open them. Scores are the
publishers', in percent, each by its own protocol; nothing was measured here. A clip is frames x
size, and the stride between frames. \"Segments\" are one frame of each of so many equal parts of
the video. Files behind a page have to be fetched by hand; the error says from where, and where to
put them. Licences are the repositories'; `Pretrained.licence` says more. The rows of a network
stand in order of preference: a shortened tag means the first of them that is on the machine, or
else the first that can be downloaded.

Written by `vidjax published > docs/pretrained-list.md`.

| name | trained on | top-1 | top-5 | clip | place | licence |
| --- | --- | ---: | ---: | --- | --- | --- |"""
NOT_USABLE = """
## Not usable

These are published, and `load_pretrained` refuses them.
"""


def row(known: Checkpoint) -> str:
    """A line of the table."""
    scores = known.published
    trained = known.dataset + (f", before on {known.pretrained}" if known.pretrained else "")
    cells = (
        f"`{known.name}`",
        trained,
        _percent(scores.top1 if scores else None),
        _percent(scores.top5 if scores else None),
        _clip(preprocessing_of(known)),
        _place(known),
        known.licence.partition(" ")[0],
    )
    return f"| {' | '.join(cells)} |"


def table() -> str:
    """The whole page."""
    usable = [known for known in checkpoints() if known.usable is not False]
    others = [known for known in checkpoints() if known.usable is False]
    known = ("\n## What to know of them\n", *_notes(usable))
    refused = (NOT_USABLE, *_notes(others)) if others else ()
    return "\n".join((HEAD, *map(row, usable), *known, *refused))


def _notes(rows: Iterable[Checkpoint]) -> list[str]:
    """What to know of some weights, a line each for those of which the same is to be known."""
    names: dict[str, list[str]] = {}
    for known in rows:
        if known.caution:
            names.setdefault(known.caution, []).append(f"`{known.name}`")
    return [f"- {', '.join(each)}: {caution}." for caution, each in names.items()]


def _percent(score: float | None) -> str:
    return "-" if score is None else f"{score:g}"


def _clip(seen: Preprocessing) -> str:
    shape = f"{seen.frames}x{seen.size}x{seen.size}"
    if seen.frames == 1:
        return f"{seen.size}x{seen.size}"
    if seen.sampling == "segments":
        return f"{shape}, segments"
    return f"{shape}, stride {seen.stride}" + (f" at {seen.fps:g} fps" if seen.fps else "")


def _place(known: Checkpoint) -> str:
    if known.direct:
        return "download"
    return "page" if known.url.startswith("http") else known.url


def main(arguments: list[str]) -> None:
    """Prints the page."""
    del arguments
    say(*table().splitlines())


if __name__ == "__main__":
    app.run(main)
