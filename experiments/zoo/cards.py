"""Writes a page of model cards for each family of networks, and a diagram for each network."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import vidjax.models
from vidjax.convert.loading import sources
from vidjax.models.model_list import model_card, variant
from vidjax.models.option_table import options
from vidjax.models.registry import methods_of
from vidjax.settings import Setting, shown
from vidjax.storage.writing import make_folder, write_text
from vidjax.trained.published.registry import checkpoints

from .. import published
from ..reproduce.analytical import Counter
from ..runs.markdown import row
from . import diagram, paper_rows
from .stages import Outline, count, outline, size

# Titles of the pages, by the module in `vidjax.models` that defines the networks.
TITLES = {
    "assemblenet": "AssembleNet",
    "blvnet": "bLVNet-TAM",
    "cost": "CoST",
    "csn": "CSN",
    "evanet": "EvaNet",
    "i3d": "I3D",
    "i3d_resnet": "I3D ResNet and non-local networks",
    "mfnet": "MF-Net",
    "mtnet": "MTNet",
    "r2plus1d": "R(2+1)D",
    "resnet2d": "Image ResNets",
    "resnet3d": "3D ResNet",
    "resnext3d": "3D ResNeXt",
    "s3d": "S3D",
    "slowfast": "SlowFast",
    "slowonly": "SlowOnly",
    "srtg": "SRTG",
    "tam": "TAM",
    "tsm": "TSM",
    "tsn": "TSN",
    "x3d": "X3D",
}
DIAGRAMS = "diagrams"
_MADE = "Written by `vidjax zoo --cards=docs/networks`."
_WEIGHTS = """| weights | trained on | top-1 % | top-5 % | protocol | project | licence |
| --- | --- | ---: | ---: | --- | --- | --- |"""
_STAGES = """| stage | blocks | channels | frames × pixels | parameters | multiply-adds |
| --- | ---: | ---: | ---: | ---: | ---: |"""


def families() -> dict[str, list[str]]:
    """Returns the networks of each module in `vidjax.models`, sorted; none of other packages."""
    found = {}
    for info in pkgutil.iter_modules(vidjax.models.__path__):
        module = importlib.import_module(f"vidjax.models.{info.name}")
        if own := getattr(module, "VARIANTS", ()):
            found[info.name] = sorted(each.card.name for each in own)
    return found


def page_of(network: str) -> str:
    """Returns the name of the page that has a network's card; empty for another package's."""
    return next((f"{name}.md" for name, own in families().items() if network in own), "")


def write_cards(folder: Path, only: Iterable[str] = ()) -> list[Path]:
    """Writes the pages and their diagrams, and replaces earlier ones.

    Args:
      folder: folder for the pages; the diagrams go into its folder `diagrams`.
      only: families to write; all by default.

    Returns:
      The files.
    """
    make_folder(folder / DIAGRAMS)
    counter, files = Counter(), []
    for family, names in families().items():
        if only and family not in only:
            continue
        outlines = {name: outline(name) for name in names}
        for name, found in outlines.items():
            files.append(folder / DIAGRAMS / f"{name}.svg")
            write_text(files[-1], diagram.draw(found))
        files.append(folder / f"{family}.md")
        write_text(files[-1], "\n".join(_page(family, outlines, counter)) + "\n")
    return files


def _page(family: str, outlines: dict[str, Outline], counter: Counter) -> Iterator[str]:
    module = importlib.import_module(f"vidjax.models.{family}")
    names = list(outlines)
    yield f"# {TITLES.get(family, family)}\n"
    yield f"{inspect.cleandoc(module.__doc__ or '')}\n"
    yield f"`vidjax/models/{family}.py` defines these networks. {_MADE}\n"
    for name, found in outlines.items():
        yield from _card(name, found, counter)
    yield "## Options\n"
    yield from _options(names)
    yield from _methods(names)


def _card(name: str, found: Outline, counter: Counter) -> Iterator[str]:
    """Yields the section of a network."""
    card = model_card(name)
    clip = "x".join(map(str, card.clip))
    mean, std = (", ".join(f"{value:.4g}" for value in own) for own in (card.mean, card.std))
    yield f"## {name}\n"
    yield f"![stages of {name}]({DIAGRAMS}/{name}.svg)\n"
    yield f"- Paper: {card.paper}."
    yield f"- {card.params:,} parameters with 400 classes, {card.macs / 1e9:.3f} G multiply-adds."
    yield f"- Clips of {clip}, stride {card.frame_stride}; mean ({mean}), std ({std})."
    if card.tables:
        yield f"- In the papers, parameters (M) / operations (G): {'; '.join(card.tables)}."
    if card.notes:
        yield f"- {card.notes}"
    yield ""
    yield from _stages(found)
    yield from _weights(name)
    yield from paper_rows.section(name, counter)


def _stages(found: Outline) -> Iterator[str]:
    yield _STAGES
    for stage in found.stages:
        costs = map(count, stage.cost) if stage.cost else ("-", "-")
        name = f"{stage.pathway} {stage.name}".strip()
        yield row(name, stage.blocks or "-", stage.shape[3], size(stage.shape[:3]), *costs)
    yield row("everything else", "-", f"{found.features} features", "-", *map(count, found.rest))
    yield ""


def _weights(name: str) -> Iterator[str]:
    """Yields the published weights of a network with their publishers' scores."""
    known = [each for each in checkpoints() if each.network == name and each.usable is not False]
    if known:
        yield "These weights are published, with the scores that their publishers state:\n"
        yield _WEIGHTS
        for each in known:
            scores = each.published
            yield row(
                f"`{each.tag}`",
                published.trained_on(each),
                *map(published.percent, (scores.top1, scores.top5) if scores else (None, None)),
                scores.protocol if scores else "-",
                _repository(each.project),
                each.licence.partition(" ")[0],
            )
        yield ""
        tag = known[0].tag
        yield f'`vidjax.load_pretrained("{name}", "{tag}")` opens the first one.\n'
    layouts = {each.layout for each in known}
    if read := [layout for layout in sources(name) if layout not in layouts]:
        reads = "also reads" if known else "reads"
        yield f"`vidjax.load_torch` {reads} checkpoints of {'; '.join(read)}.\n"


def _repository(project: str) -> str:
    """Returns a link to a project's repository, which may be broken after its owner."""
    name, space, more = project.partition(" ")
    return f"[{name.replace('/', '/<wbr>')}](https://github.com/{name}){space}{more}"


def _options(names: list[str]) -> Iterator[str]:
    """Yields a table of the family's own options; defaults that differ are named."""
    found = {name: options(name).own for name in names}
    yield "| option | default | allowed values | meaning |\n| --- | --- | --- | --- |"
    for option in dict.fromkeys(option for own in found.values() for option in own):
        having = {name: own[option] for name, own in found.items() if option in own}
        first = next(iter(having.values()))
        yield row(f"`{option}`", _defaults(having, len(names)), first.allowed, first.meaning)
    yield ""


def _defaults(having: dict[str, Setting], networks: int) -> str:
    """Returns an option's default, or each one with its networks."""
    by: dict[str, list[str]] = {}
    for name, setting in having.items():
        text = "-" if setting.default is ... else f"`{shown(setting.default)}`"
        by.setdefault(text, []).append(name)
    if len(by) == 1 and len(having) == networks:
        return next(iter(by))
    return "; ".join(f"{text} ({', '.join(own)})" for text, own in by.items())


def _methods(names: list[str]) -> Iterator[str]:
    """Yields the methods that the networks support, and why they refuse others."""
    by: dict[str, list[str]] = {}
    for name in names:
        known = ", ".join(f"`{own}`" for own in methods_of(variant(name)))
        by.setdefault(known, []).append(name)
    for known, own in by.items():
        of = "" if len(by) == 1 else f" of {', '.join(f'`{name}`' for name in own)}"
        yield f"[Methods](../methods.md){of}: {known or 'none'}.\n"
    reasons: dict[tuple[str, str], list[str]] = {}
    for name in names:
        for option, why in variant(name).refused.items():
            reasons.setdefault((option, why), []).append(name)
    for (option, why), own in reasons.items():
        of = "" if len(own) == len(names) else f" ({', '.join(own)})"
        yield f"- Not `{option}`{of}: {why}."
