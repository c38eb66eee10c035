"""Prints the table of published weights (docs/pretrained-list.md).

Example:
  vidjax published > docs/pretrained-list.md
"""

from __future__ import annotations

from collections.abc import Iterable

from vidjax.terminal import say
from vidjax.trained.preprocessing import Preprocessing
from vidjax.trained.published.checkpoint import Checkpoint
from vidjax.trained.published.clip_preprocessing import preprocessing_of
from vidjax.trained.published.registry import checkpoints

from . import command_line

HEAD = """# Published weights by name

Here you can choose weights. Open them with `vidjax.load_pretrained(NETWORK, TAG)` or
`--weights=NETWORK:TAG`. The rows of a network are in order of preference: a shortened tag means the
first row that is on your machine or, if there is none, the first one that can be downloaded.

- **top-1** and **top-5** are the scores that the publishers state, in percent, each by its own
  protocol. We measured none of them.
- **clip** is given as frames x pixels, and the stride between frames. *segments* means that the
  video is divided into equal parts, with one frame from each.
- **source** says where the file comes from. You must fetch files of a *page* yourself; the error
  says from where, and where to put them.
- **licence** is that of the repository; `Pretrained.licence` says more.

Written by `vidjax published > docs/pretrained-list.md`.

| name | trained on | top-1 % | top-5 % | clip | source | licence |
| --- | --- | ---: | ---: | --- | --- | --- |"""
NOT_USABLE = """
## Not usable

These weights are published, but `load_pretrained` cannot open them.
"""


def row(known: Checkpoint) -> str:
    """Returns the row of a checkpoint, in Markdown."""
    scores = known.published
    cells = (
        f"`{known.name}`",
        trained_on(known),
        percent(scores.top1 if scores else None),
        percent(scores.top5 if scores else None),
        _clip(preprocessing_of(known)),
        _place(known),
        known.licence.partition(" ")[0],
    )
    return f"| {' | '.join(cells)} |"


def table() -> str:
    """Returns the whole page."""
    usable = [known for known in checkpoints() if known.usable is not False]
    others = [known for known in checkpoints() if known.usable is False]
    known = ("\n## Cautions\n", *_notes(usable))
    refused = (NOT_USABLE, *_notes(others)) if others else ()
    return "\n".join((HEAD, *map(row, usable), *known, *refused))


def _notes(rows: Iterable[Checkpoint]) -> list[str]:
    """Returns the cautions about some weights, one line for all that share one."""
    names: dict[str, list[str]] = {}
    for known in rows:
        if known.caution:
            names.setdefault(known.caution, []).append(f"`{known.name}`")
    return [f"- {', '.join(each)}: {caution}" for caution, each in names.items()]


def trained_on(known: Checkpoint) -> str:
    """Returns the data sets of a checkpoint, in words."""
    return known.dataset + (f", pretrained on {known.pretrained}" if known.pretrained else "")


def percent(score: float | None) -> str:
    """Formats a published score; a dash if it is not stated."""
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


def main() -> None:
    """Prints the page."""
    say(*table().splitlines())


if __name__ == "__main__":
    command_line.answer(main, __doc__)
