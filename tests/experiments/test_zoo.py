from pathlib import Path

from experiments import zoo
from vidjax.models.listing import list_models

PAGE = Path(__file__).parents[2] / "docs/models.md"


def test_the_page_of_networks_is_what_the_registry_says():
    assert PAGE.read_text() == zoo.table() + "\n", "vidjax zoo > docs/models.md"


def test_every_network_has_its_row():
    rows = [line for line in zoo.table().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == list_models()
