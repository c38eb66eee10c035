"""Tests model cards against the registry and the networks' programs."""

import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

import vidjax
from experiments.zoo import cards
from experiments.zoo.diagram import draw
from experiments.zoo.stages import outline
from vidjax.models.model_list import list_models
from vidjax.trained.published.registry import checkpoints

DOCS = Path(__file__).parents[2] / "docs"
PAGES = DOCS / "networks"
# Networks that are traced quickly.
QUICK = ("i3d", "slowonly", "resnext3d")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    "family",
    [
        family if family in QUICK else pytest.param(family, marks=pytest.mark.slow)
        for family in cards.families()
    ],
)
def test_the_cards_are_up_to_date(family, tmp_path):
    for file in cards.write_cards(tmp_path, [family]):
        there = PAGES / file.relative_to(tmp_path)
        assert there.read_text() == file.read_text(), "vidjax zoo --cards=docs/networks"


def test_every_network_has_a_card_on_the_site():
    site = (DOCS.parent / "mkdocs.yml").read_text()
    for name in list_models():
        page = cards.page_of(name)
        text = (PAGES / page).read_text()
        assert f"\n## {name}\n" in text
        assert (PAGES / cards.DIAGRAMS / f"{name}.svg").is_file()
        assert f"{vidjax.model_card(name).params:,} parameters" in text
        assert f"networks/{page}\n" in site
    pages = {page.name for page in PAGES.glob("*.md")}
    assert pages == {f"{family}.md" for family in cards.families()}
    assert yaml.safe_load(site)["extra_javascript"]


def test_every_checkpoint_is_on_its_network_s_card():
    for row in checkpoints():
        text = (PAGES / cards.page_of(row.network)).read_text()
        assert (f"| `{row.tag}` |" in text) == (row.usable is not False), row.name


def test_stages_are_those_of_the_papers():
    """Checks blocks, channels, frames and pixels of SlowFast's table 1 (Feichtenhofer et al.)."""
    found = outline("slowfast_50_4x16").pathways
    slow, fast = found["slow"], found["fast"]
    assert [stage.blocks for stage in slow] == [None, 3, 4, 6, 3]
    assert [stage.shape[3] for stage in slow] == [64, 256, 512, 1024, 2048]
    assert [stage.shape[3] for stage in fast] == [8, 32, 64, 128, 256]
    assert {stage.shape[0] for stage in slow} == {4}
    assert {stage.shape[0] for stage in fast} == {32}
    assert [stage.shape[1] for stage in slow] == [56, 56, 28, 14, 7]


@pytest.mark.parametrize("name", ["slowfast_50", "i3d", "cifar_resnet_110"])
def test_costs_of_stages_add_up(name):
    found, card = outline(name), vidjax.model_card(name)
    assert found.whole == (card.params, card.macs)
    for kind in (0, 1):
        assert (
            sum(stage.cost[kind] for stage in found.stages) + found.rest[kind] == found.whole[kind]
        )
        assert found.rest[kind] > 0


def test_the_diagram_has_a_stack_per_stage_with_a_frame_per_doubling():
    found = outline("r3d_18")
    root = ET.fromstring(draw(found))
    squares = [own for own in root.iter(f"{SVG}rect") if own.get("width") == own.get("height")]
    frames = [found.clip[0], *(stage.shape[0] for stage in found.stages)]
    assert len(squares) == sum(1 + int(math.log2(own)) for own in frames)
    words = [own.text for own in root.iter(f"{SVG}text")]
    for stage in found.stages:
        assert " × ".join(map(str, stage.shape[:3])) in words
    assert re.fullmatch(r"0 0 \d+ \d+", root.get("viewBox"))
