import fnmatch
import importlib
import re
from pathlib import Path

import pytest

from experiments.zoo import networks_page, paper_systems
from vidjax.models.model_list import list_models

PAGE = Path(__file__).parents[2] / "docs/models.md"


def test_the_page_of_networks_is_up_to_date():
    assert PAGE.read_text() == networks_page.table() + "\n", "vidjax zoo > docs/models.md"


def test_every_network_has_its_row():
    rows = [line for line in networks_page.table().splitlines() if line.startswith("| [`")]
    assert [row.split("`")[1] for row in rows] == list_models()


@pytest.mark.parametrize("system", [each for each in paper_systems.SYSTEMS if each.train], ids=str)
def test_every_named_configuration_trains_the_system(system):
    name, _, argument = system.train.partition(":")
    config = importlib.import_module(f"configs.{name}").get_config(argument)
    words = re.findall(r"`([\w*]+)`", system.network)
    patterns = [word for word in words if fnmatch.filter(list_models(), word)]
    # The table names no network for methods.
    assert not patterns or any(fnmatch.fnmatch(config.model.name, each) for each in patterns)


def test_networks_of_the_table_of_systems_exist():
    named = [
        each for system in paper_systems.SYSTEMS for each in re.findall(r"`(\w+)`", system.network)
    ]
    networks = [name for name in named if name not in ("residual_drop",)]
    assert len(networks) > 25
    assert set(networks) <= set(list_models())
