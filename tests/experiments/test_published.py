from pathlib import Path

import vidjax
from experiments import published

PAGE = Path(__file__).parents[2] / "docs/pretrained-list.md"


def test_the_page_of_published_weights_is_up_to_date():
    command = "vidjax published > docs/pretrained-list.md"
    assert PAGE.read_text() == published.table() + "\n", command


def test_every_usable_checkpoint_has_a_row():
    rows = [line for line in published.table().splitlines() if line.startswith("| `")]
    assert sorted(row.split("`")[1] for row in rows) == vidjax.list_pretrained()
