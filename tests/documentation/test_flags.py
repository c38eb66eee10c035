"""Every command of every page is one that its program takes: flags, settings and arguments."""

import pytest

from tests.commands import run_command
from tests.documentation.pages import named, pages
from tests.documented import typed_in

# What was typed then, at the commits that it names.
OF_THEN = "docs/evidence"
COMMANDS = [
    typed
    for page in pages()
    if not named(page).startswith(OF_THEN)
    for typed in typed_in(named(page))
    if typed.module
]
# The README and the first guides are tried with every change, the others with the slow tests.
FIRST = ("README.md", "docs/get-started.md")


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param(each, marks=() if each.file in FIRST else pytest.mark.slow, id=str(each)[:100])
        for each in COMMANDS
    ],
)
def test_a_command_takes_its_flags(typed):
    done = run_command("tests.documentation.parsed", typed.module, *typed.arguments)
    assert done.returncode == 0, f"{typed}\n{done.stderr}"


def test_pages_have_commands():
    assert len(COMMANDS) > 100
    assert {each.file for each in COMMANDS} >= {"README.md", "docs/launching.md", "docs/data.md"}
